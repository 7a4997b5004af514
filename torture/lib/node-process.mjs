/** A node as a process that can be asked, paused, killed and started again on its port. */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('../node.mjs', import.meta.url))
/** Longer than any pause of the run: an answer that comes late is an answer. */
const TIMEOUT_MS = 15_000

export class NodeProcess {
  /** @param {string} name @param {{ database: string, leaseSeconds: number }} settings */
  constructor(name, settings) {
    this.name = name
    this.settings = settings
    this.agent = new Agent({ keepAlive: true, maxSockets: 64 })
    this.port = 0
  }

  async start() {
    const child = fork(SCRIPT, [JSON.stringify({ ...this.settings, port: this.port })])
    this.child = child
    this.port = await new Promise((resolve, reject) => {
      child.once('message', ({ port }) => resolve(port))
      child.once('exit', (code) => reject(new Error(`${this.name} ended with ${code}`)))
    })
    child.removeAllListeners('exit')
  }

  async kill() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await ended
  }

  pause() {
    this.child.kill('SIGSTOP')
  }

  resume() {
    this.child.kill('SIGCONT')
  }

  /** @returns {Promise<{ status: number, text: string }>} rejects when no answer came */
  ask(path, { method = 'GET', headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path, method, headers, agent: this.agent }
      const sent = request({ ...options, timeout: TIMEOUT_MS }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      })
      sent.on('timeout', () => sent.destroy(new Error('no answer')))
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** Orders a change. @throws Error when it is not known whether it happened */
  async control(name, parameters) {
    const { status, text } = await this.ask(`/control/${name}`, {
      method: 'POST',
      body: JSON.stringify(parameters),
    })
    if (status !== 200) throw new Error(`${name}: ${status} ${text}`)
    return JSON.parse(text)
  }
}

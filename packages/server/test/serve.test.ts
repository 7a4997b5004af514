import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const PASSWORD = 'correct horse battery'
let folder = ''
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-serve-'))
  latchkey(['migrate'])
  latchkey(['createuser', 'vitor', '--password-stdin'], `${PASSWORD}\n`)
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  rmSync(folder, { recursive: true })
})

function latchkey(argv: readonly string[], input = '') {
  const options = { cwd: folder, env: cleanEnvironment(), input, encoding: 'utf8' } as const
  return spawnSync(process.execPath, [LATCHKEY, ...argv], options)
}

/** Starts `latchkey serve` and waits for its line. */
async function serve(...argv: readonly string[]) {
  const child = spawn(process.execPath, [LATCHKEY, ...argv], { cwd: folder, env: cleanEnvironment() })
  children.push(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error(output.stderr)))
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk
      const [, found] = /listens on (\S+)\//.exec(output.stderr) ?? []
      if (found !== undefined) resolve(found)
    })
  })
  return { child, output, url }
}

async function obtainToken(url: string): Promise<string> {
  const body = new URLSearchParams({ username: 'vitor', password: PASSWORD })
  const response = await fetch(`${url}/api-token-auth/`, { method: 'POST', body })
  expect(response.status).toBe(200)
  return ((await response.json()) as { token: string }).token
}

const hello = (url: string, token: string) =>
  fetch(`${url}/hello/`, { headers: { Authorization: `Token ${token}` } }).then(({ status }) => status)

describe('latchkey serve', () => {
  it.each([
    ['serve', 'SIGTERM'],
    ['runserver', 'SIGINT'],
  ] as const)('%s: serves the built-in views, and stops at %s with exit code 0', async (name, signal) => {
    const { child, output, url } = await serve(name, '0')
    const token = await obtainToken(url)
    expect(await hello(url, token)).toBe(200)
    expect(await hello(url, '0'.repeat(40))).toBe(401)
    child.kill(signal)
    await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    expect(output.stdout).toBe('')
    expect(output.stderr).toBe(`Latchkey listens on ${url}/ (Ctrl-C stops it)\nStopping.\n`)
  })

  it('warns in production where only this machine reaches it and no proxy is named', async () => {
    const production = ['serve', '0', '--environment', 'production', '--secret-file', '.latchkey/secret']
    latchkey(['check', '--deploy'])
    for (const workers of ['1', '2']) {
      const { output, child } = await serve(...production, '--workers', workers)
      child.kill('SIGTERM')
      await once(child, 'exit')
      expect(output.stderr).toMatch(
        /\nWarning: The server listens on 127\.0\.0\.1, .*LATCHKEY_TRUSTED_PROXIES/,
      )
      expect(output.stderr.match(/Warning/g)).toHaveLength(1)
    }
    const named = await serve(...production, '--trusted-proxies', '127.0.0.1')
    named.child.kill('SIGTERM')
    await once(named.child, 'exit')
    expect(named.output.stderr).not.toContain('Warning')
  })

  it('takes its address from an argument, and says so when it is taken', async () => {
    const { url } = await serve('serve', '127.0.0.1:0')
    const second = latchkey(['serve', new URL(url).host])
    expect(second.status).toBe(1)
    expect(second.stderr).toBe(
      `CommandError: ${new URL(url).host}: that port is already in use: stop the other server, or choose another port\n`,
    )
  })

  it('refuses a database that is not migrated, and one that is not there', () => {
    const other = latchkey(['serve', '0', '--database', 'other.sqlite3'])
    expect(other).toMatchObject({ status: 1, stdout: '' })
    expect(other.stderr).toContain('other.sqlite3: no such table: run `latchkey migrate`')
    writeFileSync(join(folder, 'other.sqlite3'), '')
    expect(latchkey(['serve', '0', '--database', 'other.sqlite3']).stderr).toBe(other.stderr)
  })

  it('goes on while the secret is rotated beside it, and gives the same token before, between and after', async () => {
    const { url } = await serve('serve', '0')
    const token = await obtainToken(url)
    expect(latchkey(['secret', 'rotate']).stdout).toBe('Sealed 1 token under the newest secret.\n')
    expect(await obtainToken(url)).toBe(token)
    expect(latchkey(['secret', 'rotate', '--no-new', '--drop-old']).status).toBe(0)
    expect(await obtainToken(url)).toBe(token)
    expect(await hello(url, token)).toBe(200)
  })

  it('goes on when nobody can read what it prints any more', async () => {
    writeFileSync(
      join(folder, 'urls.mjs'),
      `export const urlpatterns = [
        { route: '/boom/', view: async () => { console.log('on stdout'); console.error('on stderr'); return { status: 503, headers: [], body: null } } },
      ]`,
    )
    const { child, url } = await serve('serve', '0', '--urls', 'urls.mjs')
    child.stdout?.destroy()
    child.stderr?.destroy()
    for (let count = 0; count < 3; count += 1) expect((await fetch(`${url}/boom/`)).status).toBe(503)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect([child.exitCode, child.signalCode]).toEqual([0, null])
  })

  it('cuts nobody off at SIGTERM who is just asking on a connection that is kept', async () => {
    const { child, url } = await serve('serve', '0')
    const token = await obtainToken(url)
    const statuses: number[] = []
    let isStopping = false
    const ask = (agent: Agent) =>
      new Promise<boolean>((resolve, reject) => {
        const headers = { Authorization: `Token ${token}` }
        get(`${url}/hello/`, { agent, headers }, (answer) => {
          statuses.push(answer.statusCode ?? 0)
          answer.resume().on('end', () => resolve(answer.headers.connection !== 'close'))
        }).on('error', reject)
      })
    const clients = Array.from({ length: 8 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      while (await ask(agent)) if (statuses.length > 100 && !isStopping) isStopping = child.kill('SIGTERM')
      agent.destroy()
    })
    await Promise.all(clients)
    expect(new Set(statuses)).toEqual(new Set([200]))
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
  })

  it('refuses a token from the moment the command line has revoked it', async () => {
    const { url } = await serve('serve', '0')
    const token = await obtainToken(url)
    expect(await hello(url, token)).toBe(200)
    latchkey(['token', 'revoke', '--user', 'vitor'])
    expect(await hello(url, token)).toBe(401)
  })
})

/** Bytes to a server on 127.0.0.1, and the answers that come back. No other address is ever connected to. */
import { connect } from 'node:net'

const HOST = '127.0.0.1'
/** Without any answer for so long, the server waits for more of the request. */
const SILENCE_MS = 400
/** After an answer that is complete, a further one comes sooner than this. */
const QUIET_MS = 40
/** Whatever happens. */
const LIMIT_MS = 15_000

/**
 * @typedef {object} Request
 * @property {string} [method]
 * @property {string} path the request target, as it is sent
 * @property {ReadonlyArray<readonly [string, string]>} [headers] each character is a byte
 * @property {string | Uint8Array} [body]
 *
 * @typedef {{ status: number, head: string, body: string }} Answer
 * @typedef {{ answers: readonly Answer[], text: string, closed: boolean }} Exchange `text`: all bytes that came, as Latin-1
 */

/** @param {Request} request @returns {Buffer} HTTP/1.1; ends the connection unless `keepAlive` */
export function requestBytes({ method = 'GET', path, headers = [], body = '' }, { keepAlive = false } = {}) {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body
  const has = (name) => headers.some(([other]) => other.toLowerCase() === name)
  const lines = [`${method} ${path} HTTP/1.1`]
  if (!has('host')) lines.push(`Host: ${HOST}`)
  if (!keepAlive) lines.push('Connection: close')
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  if (bytes.length > 0 && !has('content-length')) lines.push(`Content-Length: ${bytes.length}`)
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])
}

/**
 * Sends bytes on a connection of their own and reads until the server closes it, or nothing more comes.
 * @param {number} port
 * @param {Uint8Array} bytes
 * @returns {Promise<Exchange>}
 */
export function exchange(port, bytes) {
  return new Promise((resolve) => {
    const chunks = []
    let timer
    const socket = connect({ host: HOST, port, noDelay: true })
    const finish = (closed) => {
      clearTimeout(timer)
      clearTimeout(limit)
      socket.destroy()
      const text = Buffer.concat(chunks).toString('latin1')
      resolve({ answers: parseAnswers(text), text, closed })
    }
    const limit = setTimeout(() => finish(false), LIMIT_MS)
    socket.on('connect', () => {
      socket.write(bytes)
      timer = setTimeout(() => finish(false), SILENCE_MS)
    })
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(() => finish(false), QUIET_MS)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => finish(true))
  })
}

/** Kept connections for many well-formed requests, each of which gets one answer. */
export class Client {
  #port
  #idle = []

  /** @param {number} port */
  constructor(port) {
    this.#port = port
  }

  /** @param {Request} request @returns {Promise<Exchange>} */
  async ask(request) {
    const bytes = requestBytes(request, { keepAlive: true })
    const kept = this.#idle.pop()
    if (kept !== undefined && !kept.destroyed) {
      const answered = await this.#send(kept, bytes)
      if (answered !== null) return answered
    }
    const fresh = connect({ host: HOST, port: this.#port, noDelay: true })
    return (await this.#send(fresh, bytes)) ?? { answers: [], text: '', closed: true }
  }

  close() {
    for (const socket of this.#idle) socket.destroy()
  }

  /** Null: the connection ended before the first byte of an answer. */
  #send(socket, bytes) {
    return new Promise((resolve) => {
      let text = ''
      const settle = (closed) => {
        clearTimeout(limit)
        socket.removeAllListeners()
        socket.on('error', () => undefined)
        const answers = parseAnswers(text)
        if (closed || /^connection: close\r$/im.test(answers.at(-1)?.head ?? '')) socket.destroy()
        else this.#idle.push(socket)
        resolve(closed && text === '' ? null : { answers, text, closed })
      }
      const limit = setTimeout(() => settle(true), LIMIT_MS)
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        if (lengthOfAnswer(text) === text.length) settle(false)
      })
      socket.on('error', () => undefined)
      socket.on('close', () => settle(true))
      socket.write(bytes)
    })
  }
}

/** @param {string} text @returns {Answer[]} the complete ones, and the rest as a last one where it begins as an answer */
export function parseAnswers(text) {
  const answers = []
  for (let rest = text; rest !== ''; ) {
    const length = lengthOfAnswer(rest) ?? rest.length
    const [head = '', ...body] = rest.slice(0, length).split('\r\n\r\n')
    answers.push({
      status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0),
      head: `${head}\r`,
      body: body.join('\r\n\r\n'),
    })
    rest = rest.slice(length)
  }
  return answers
}

/** Bytes of the first answer; undefined while it is not complete. */
function lengthOfAnswer(text) {
  const headBytes = text.indexOf('\r\n\r\n') + 4
  if (headBytes < 4) return undefined
  const head = text.slice(0, headBytes)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
  if (status < 200 || status === 204 || status === 304) return headBytes
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (declared !== undefined) {
    const length = headBytes + Number(declared)
    return length <= text.length ? length : undefined
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return undefined
  const end = text.indexOf('0\r\n\r\n', headBytes)
  return end < 0 ? undefined : end + 5
}

/** Load over HTTP: as much as the server takes, or a little at a steady pace. */
import { Agent, get } from 'node:http'
import { connect } from 'node:net'

const BUFFER_BYTES = 16_384

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Readonly<Record<string, string>>} headers
 * @property {string} [body]
 */

/**
 * As much as the server takes, on kept connections, each of which sends the next request when the last is answered.
 *
 * It sends ready bytes and counts those that come back: a client that reads answers costs as much per request as the
 * servers do, and would be what is measured. So all answers must be equally long.
 * @param {{ url: string, connections: number, seconds: number, requests: readonly Request[] }} plan
 * @returns {Promise<{ rate: number, answered: number }>} `rate` is requests answered per second
 * @throws Error when an answer is not 200 or of another length, or a connection ends: such answers may be cheaper than
 *   the right ones
 */
export async function saturate({ url, connections, seconds, requests }) {
  const { hostname, port } = new URL(url)
  const texts = requests.map((request) => Buffer.from(requestText(hostname, request)))
  const answerBytes = await lengthOfAnswer({ hostname, port, text: texts[0] })
  let answered = 0
  const open = (index, fail) => {
    let next = index
    let missing = answerBytes
    const send = () => {
      missing = answerBytes
      next = (next + 1) % texts.length
      socket.write(texts[next])
    }
    const socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER_BYTES),
        callback: (bytes, buffer) => {
          if (missing === answerBytes && !isOk(buffer)) {
            fail(new Error(`${url}: ${buffer.toString('latin1', 0, bytes).split('\r\n', 1)}`))
          }
          missing -= bytes
          if (missing === 0) {
            answered += 1
            send()
          } else if (missing < 0) fail(new Error(`${url}: answers differ in length`))
        },
      },
    })
    socket.on('connect', send)
    socket.on('error', fail)
    socket.on('close', () => fail(new Error(`${url}: the server ended a connection`)))
    return socket
  }
  const startedMs = performance.now()
  let sockets = []
  let timer
  try {
    await new Promise((resolve, reject) => {
      timer = setTimeout(resolve, seconds * 1000)
      sockets = Array.from({ length: connections }, (_, index) => open(index, reject))
    })
    return { rate: answered / ((performance.now() - startedMs) / 1000), answered }
  } finally {
    clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
  }
}

function requestText(host, { method, path, headers, body = '' }) {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  if (body !== '') lines.push(`content-length: ${Buffer.byteLength(body)}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

const OK = Buffer.from('HTTP/1.1 200 ')

function isOk(buffer) {
  return OK.compare(buffer, 0, OK.length) === 0
}

/** Bytes of the whole first answer, head and body. */
function lengthOfAnswer({ hostname, port, text }) {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text))
    socket.setEncoding('latin1').on('data', (more) => {
      answer += more
      const headBytes = answer.indexOf('\r\n\r\n') + 4
      if (headBytes < 4) return
      const bodyBytes = /\r\ncontent-length: (\d+)\r\n/i.exec(answer)?.[1]
      const close = /\r\nconnection: close\r\n/i.test(answer)
      if (bodyBytes === undefined || close)
        reject(new Error(`cannot be counted: ${answer.slice(0, headBytes)}`))
      else resolve(headBytes + Number(bodyBytes))
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server ended the first connection')))
  })
}

/**
 * Requests at fixed times, whether or not earlier ones are answered: a slow server is not asked less often.
 * @param {{ url: string, headers: readonly object[], perSecond: number, seconds: number }} plan
 * @returns {Promise<number[]>} milliseconds from the sending of each request to the end of its answer
 */
export async function pace({ url, headers, perSecond, seconds }) {
  const agent = new Agent({ keepAlive: true })
  const startedMs = performance.now()
  const answers = []
  for (let index = 0; index < perSecond * seconds; index += 1) {
    const dueMs = startedMs + (index * 1000) / perSecond
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    answers.push(timedGet(url, headers[index % headers.length], agent))
  }
  const latencies = await Promise.all(answers)
  agent.destroy()
  return latencies
}

function timedGet(url, headers, agent) {
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`))
      response
        .on('error', reject)
        .resume()
        .on('end', () => resolve(performance.now() - startedMs))
    })
    request.on('error', reject)
  })
}

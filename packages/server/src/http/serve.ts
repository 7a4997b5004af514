/** The HTTP server around an app: limits, JSON for what does not even parse, and a shutdown that lets requests finish. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { getRequestListener, RequestError } from '@hono/node-server'
import type { Hono } from 'hono'
import { printableLines } from 'latchkey'

export interface ServeOptions {
  readonly app: Hono
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Seconds for a whole request to arrive; then 408. Default is 30. */
  readonly requestTimeoutSeconds?: number
  /** Seconds that running requests get at shutdown, and idle connections in a drain. Default is 10. */
  readonly shutdownSeconds?: number
}

export interface RunningServer {
  /** `http://127.0.0.1:8000` */
  readonly url: string
  /** Stops listening, lets running requests finish, then resolves. */
  close(): Promise<void>
  /**
   * As `close`, for a server that another one takes over from: a caller whose connection is kept alive is told with its
   * next answer, so that none sends a request into a connection that is just being cut. May be hurried by `close`.
   */
  drain(): Promise<void>
}

/** Listens. Rejects with Node's error (`EADDRINUSE`, `EACCES`, …) when it cannot. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { app, host, port, requestTimeoutSeconds = 30, shutdownSeconds = 10 } = options
  const answer = getRequestListener(app.fetch, { errorHandler: refuseRequest })
  const server = createServer(
    {
      requestTimeout: requestTimeoutSeconds * 1000,
      headersTimeout: Math.min(10, requestTimeoutSeconds) * 1000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
      // Refused below, with words.
      requireHostHeader: false,
    },
    (request, response) => {
      const refusal = refusalOf(request)
      if (refusal === undefined) void answer(request, response)
      else answerRefusal(response, ...refusal)
    },
  )
  // No limit by which lines vanish, such as the one that the proxy appended: bytes are limited (`maxHeaderSize`, 16 KiB).
  server.maxHeadersCount = 0
  server.on('clientError', refuseUnparsable)
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) =>
    answerRefusal(response, 417, 'Expectation failed.'),
  )
  server.on('connect', (_request: IncomingMessage, socket: Socket) =>
    refuse(socket, 405, 'Method "CONNECT" not allowed.'),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port: actualPort } = server.address() as AddressInfo
  const closed = new Promise<void>((resolve) => {
    server.once('close', resolve)
  })
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`,
    close: () => shutDown(server, closed, shutdownSeconds),
    drain: () => drain(server, closed, shutdownSeconds),
  }
}

/**
 * Whether the path goes through `.` or `..`, escaped or not. The URL of a request has them resolved, and a proxy in front
 * that lets paths through by their beginning has seen another one.
 */
function hasDotSegment(target: string): boolean {
  const mark = target.indexOf('?')
  return DOT_SEGMENT.test(mark < 0 ? target : target.slice(0, mark))
}

const DOT_SEGMENT = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\#]|%2f|%5c|$)/i

/** What is refused before it becomes a request of the fetch standard, which no longer shows it. */
function refusalOf(request: IncomingMessage): readonly [status: number, detail: string] | undefined {
  const { headers, rawHeaders } = request
  if (hasDotSegment(request.url ?? '')) return [404, 'Not found.']
  // RFC 9112, 3.2: one, and no more. HTTP/1.0 has no such line: health checks send none.
  if (headers.host === undefined && request.httpVersion === '1.0') headers.host = 'localhost'
  else if (isTwice(rawHeaders, 'host')) return [400, 'Malformed request.']
  // RFC 9112, 6.1: a coding that is not understood.
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return [501, 'Transfer coding not supported.']
  return undefined
}

/** @param rawHeaders names and values in turn, as Node keeps them */
function isTwice(rawHeaders: readonly string[], name: string): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const one = rawHeaders[index]
    if (one?.length === name.length && one.toLowerCase() === name) count += 1
  }
  return count > 1
}

function answerRefusal(response: ServerResponse, status: number, detail: string): void {
  const body = JSON.stringify({ detail })
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, Connection: 'close' }).end(body)
}

/** A request that cannot become one of the fetch standard: no Host, a strange one, a strange target. */
function refuseRequest(error: unknown): Response {
  if (error instanceof RequestError) return Response.json({ detail: 'Malformed request.' }, { status: 400 })
  console.error(`latchkey: ${printableLines(inspect(error))}`)
  return Response.json({ detail: 'A server error occurred.' }, { status: 500 })
}

/** What Node's parser gives up on, as status and words. */
const UNPARSABLE: Readonly<Record<string, readonly [status: number, detail: string]>> = Object.freeze({
  HPE_HEADER_OVERFLOW: [431, 'Request header fields are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Request body is too large.'],
  HPE_INVALID_METHOD: [405, 'Method not allowed.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
})

function refuseUnparsable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [status, detail] = UNPARSABLE[error.code ?? ''] ?? [400, 'Malformed request.']
  refuse(socket, status, detail)
}

function refuse(socket: Socket, status: number, detail: string): void {
  const body = JSON.stringify({ detail })
  socket.end(
    `HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : 'Refused'}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

/** How long a connection that is idle may still bring the request that is on its way. */
const GRACE_MS = 250

async function shutDown(server: Server, closed: Promise<void>, shutdownSeconds: number): Promise<void> {
  closeAfterAnswer(server)
  // A connection that is kept alive becomes idle when its last answer is out, and would stay until its timeout.
  let sweep: NodeJS.Timeout | undefined
  const grace = setTimeout(() => {
    server.closeIdleConnections()
    sweep = setInterval(() => server.closeIdleConnections(), 50)
  }, GRACE_MS)
  await within(shutdownSeconds, server, closed)
  clearTimeout(grace)
  clearInterval(sweep)
}

async function drain(server: Server, closed: Promise<void>, shutdownSeconds: number): Promise<void> {
  closeAfterAnswer(server)
  await within(shutdownSeconds, server, closed)
}

/** Takes no more connections, and tells those there are that the next answer is the last: nobody's request is cut. */
function closeAfterAnswer(server: Server): void {
  server.prependListener('request', (_request, response: ServerResponse) => {
    response.setHeader('Connection', 'close')
  })
  // The HTTP server's own `close` would cut idle connections, and no longer look for requests that take too long.
  NetServer.prototype.close.call(server)
}

async function within(shutdownSeconds: number, server: Server, closed: Promise<void>): Promise<void> {
  const giveUp = setTimeout(() => server.closeAllConnections(), shutdownSeconds * 1000)
  await closed
  clearTimeout(giveUp)
}

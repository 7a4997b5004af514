/** The HTTP server around an app: limits, JSON for what does not even parse, and a shutdown that lets requests finish. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import { getRequestListener, RequestError } from '@hono/node-server'
import type { Hono } from 'hono'

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
  const server = createServer(
    {
      requestTimeout: requestTimeoutSeconds * 1000,
      headersTimeout: Math.min(10, requestTimeoutSeconds) * 1000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
      // Refused below, with words.
      requireHostHeader: false,
    },
    getRequestListener(
      (request, env) => (hasDotSegment(env.incoming.url ?? '') ? notFound() : app.fetch(request, env)),
      { errorHandler: refuseRequest },
    ),
  )
  server.on('clientError', refuseUnparsable)
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

const DOT_SEGMENT = /[/\\](?:\.|%2e){1,2}(?:[/\\#]|$)/i

function notFound(): Response {
  return Response.json({ detail: 'Not found.' }, { status: 404 })
}

/** A request that cannot become one of the fetch standard: no Host (RFC 9112, 3.2), a strange one, a strange target. */
function refuseRequest(error: unknown): Response {
  if (error instanceof RequestError) return Response.json({ detail: 'Malformed request.' }, { status: 400 })
  console.error('latchkey:', error)
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

async function shutDown(server: Server, closed: Promise<void>, shutdownSeconds: number): Promise<void> {
  server.close()
  // A connection that is kept alive becomes idle when its last answer is out, and would stay until its timeout.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  await within(shutdownSeconds, server, closed)
  clearInterval(sweep)
}

async function drain(server: Server, closed: Promise<void>, shutdownSeconds: number): Promise<void> {
  server.prependListener('request', (_request, response: ServerResponse) => {
    response.setHeader('Connection', 'close')
  })
  // The HTTP server's own `close` would cut idle connections, and no longer look for requests that take too long.
  NetServer.prototype.close.call(server)
  await within(shutdownSeconds, server, closed)
}

async function within(shutdownSeconds: number, server: Server, closed: Promise<void>): Promise<void> {
  const giveUp = setTimeout(() => server.closeAllConnections(), shutdownSeconds * 1000)
  await closed
  clearTimeout(giveUp)
}

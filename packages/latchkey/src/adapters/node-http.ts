/** Plain node:http: translates its request and response. Express and every other `(req, res)` framework builds on it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { LatchkeyError } from '../errors.js'
import type { Identity } from '../identity.js'
import type { Handler, HttpRequest, HttpResponse } from '../request.js'
import { peerOf } from './node-peer.js'

/** A request listener: `createServer(listener(latchkey.handler(view)))`. */
export function listener(
  handler: Handler,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) =>
    writeResponse(response, await handler(fromIncoming(request)), request.method)
}

/** Frameworks that keep more than Node does extend `IncomingRequest`. */
export function fromIncoming(request: IncomingMessage): HttpRequest {
  return new IncomingRequest(request)
}

/** How the body of a request is read. */
export type BodyReader = (incoming: IncomingMessage, maxBytes: number) => Promise<Uint8Array>

/** For a guard: Node gives a body once, to the handler behind it. */
export async function leaveBody(): Promise<never> {
  throw new LatchkeyError('permission_denied', {
    message:
      'CSRF Failed: The guard leaves the body to its handler: send the token as a header, or parse the body before the guard.',
  })
}

/** Puts who asks on a framework's own request. Property by property: `Object.assign` takes five times as long. */
export function putIdentity<I extends Identity>(request: object, { user, auth }: I): asserts request is I {
  const identified: { user?: unknown; auth?: unknown } = request
  identified.user = user
  identified.auth = auth
}

/** Writes the answer. To HEAD the same headers go out and no body. */
export function writeResponse(
  response: ServerResponse,
  answer: HttpResponse,
  method: string | undefined,
): void {
  response.statusCode = answer.status
  for (const [name, value] of answer.headers) response.appendHeader(name, value)
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  if (body !== null || (answer.status !== 204 && answer.status !== 304))
    response.setHeader('Content-Length', body?.length ?? 0)
  if (answer.status === 413) response.setHeader('Connection', 'close')
  response.end(method === 'HEAD' ? undefined : (body ?? undefined))
}

/**
 * Reads of Node's request what it is asked for, when it is asked: a guard needs a header or two, and frameworks that
 * change the prototype of requests make every look at one slow.
 */
export class IncomingRequest implements HttpRequest {
  protected readonly incoming: IncomingMessage
  readonly #readBody: BodyReader

  constructor(incoming: IncomingMessage, body: BodyReader = readBody) {
    this.incoming = incoming
    this.#readBody = body
  }

  /** The request target as it was sent. */
  protected get target(): string {
    return this.incoming.url ?? '/'
  }

  get parsedBody(): unknown {
    return undefined
  }

  get rawPath(): string {
    const origin = this.#origin()
    const mark = origin.indexOf('?')
    return mark < 0 ? origin : origin.slice(0, mark)
  }

  get query(): string {
    const origin = this.#origin()
    const mark = origin.indexOf('?')
    return mark < 0 ? '' : origin.slice(mark + 1)
  }

  /** Split when asked: a guard that lets through needs neither path nor query. */
  #origin(): string {
    const { target } = this
    const origin = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?#]*/i, '')
    // No browser sends a fragment, and routers cut it off.
    const fragment = origin.indexOf('#')
    return fragment < 0 ? origin : origin.slice(0, fragment)
  }

  get method(): string {
    return this.incoming.method ?? 'GET'
  }

  get secure(): boolean {
    return 'encrypted' in this.incoming.socket
  }

  get remoteAddress(): string | undefined {
    return peerOf(this.incoming)
  }

  header(name: string): string | undefined {
    return incomingHeader(this.incoming, name)
  }

  body(maxBytes: number): Promise<Uint8Array> {
    return this.#readBody(this.incoming, maxBytes)
  }
}

/** A header of Node's request as `HttpRequest.header` promises it. */
export function incomingHeader(incoming: IncomingMessage, name: string): string | undefined {
  const { headers } = incoming
  // HTTP/2 names the host in a pseudo-header (RFC 9113, 8.3.1).
  const value = headers[name] ?? (name === 'host' ? headers[':authority'] : undefined)
  if (value === undefined) return undefined
  if (typeof value === 'object') return value.join(',')
  // Few headers come twice: only those are compared letter by letter.
  if (linesLike(name, incoming) < 2 || !FIRST_KEPT.has(name)) return value
  return joinedRaw(incoming, name) ?? value
}

/** Of these Node keeps the first line only, and of those that decide anything two must not pass for one. */
const FIRST_KEPT: ReadonlySet<string> = new Set([
  'authorization',
  'content-type',
  'from',
  'host',
  'proxy-authorization',
  'referer',
  'user-agent',
])

/** A request that no server made has no raw headers. */
type RawHeaders = Partial<Pick<IncomingMessage, 'rawHeaders'>>

/** At most how many lines have this name: those as long as it, with its first letter. */
function linesLike(name: string, { rawHeaders: lines = [] }: RawHeaders): number {
  const first = name.charCodeAt(0)
  let count = 0
  for (let index = 0; index < lines.length; index += 2) {
    const line = lines[index]
    if (line?.length === name.length && (line.charCodeAt(0) | ASCII_CASE) === first) count += 1
  }
  return count
}

/** The bit that tells `A` from `a`. */
const ASCII_CASE = 0x20

function joinedRaw({ rawHeaders: lines = [] }: RawHeaders, name: string): string | undefined {
  let joined: string | undefined
  for (let index = 0; index < lines.length; index += 2) {
    if (lines[index]?.toLowerCase() !== name) continue
    const value = lines[index + 1] ?? ''
    joined = joined === undefined ? value : `${joined},${value}`
  }
  return joined
}

async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw new LatchkeyError('payload_too_large')
  if (incoming.readableEnded) {
    throw new TypeError('body: was read before, by a body parser or a guard that did not hand it on')
  }
  if (incoming.destroyed) throw brokenOff()
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    incoming.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      if (length > maxBytes) {
        incoming.removeAllListeners('data')
        incoming.resume()
        reject(new LatchkeyError('payload_too_large'))
      } else chunks.push(chunk)
    })
    incoming.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    const broken = (cause?: unknown) => reject(brokenOff(cause))
    incoming.on('error', broken)
    incoming.on('close', () => (incoming.complete ? undefined : broken()))
  })
}

function brokenOff(cause?: unknown): LatchkeyError {
  return new LatchkeyError('parse_error', { message: 'The request body broke off.', cause })
}

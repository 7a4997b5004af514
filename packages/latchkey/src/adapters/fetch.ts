/** The fetch standard's `Request -> Response`: Hono, Bun, Deno and every runtime that speaks it. */
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import type { Handler, HttpRequest, HttpResponse, RouteMatch } from '../request.js'

export interface FetchContext {
  /**
   * The peer of the connection, where the runtime knows it: throttles, the login limit and allow-lists need it. `unix`
   * for the peer of a Unix socket. Without it all callers are counted together, and `onError` gets a warning.
   */
  readonly remoteAddress?: string | undefined
  readonly route?: RouteMatch
}

/** A fetch handler: `Deno.serve(fetchHandler(latchkey.handler(view)))`. */
export function fetchHandler(
  handler: Handler,
): (request: Request, context?: FetchContext) => Promise<Response> {
  return async (request, context = {}) =>
    toResponse(await handler(fromFetch(request, context.remoteAddress), context.route), request.method)
}

/** @param header how headers are read, where the runtime has something cheaper than `Headers` */
export function fromFetch(
  request: Request,
  remoteAddress?: string,
  header: HttpRequest['header'] = (name) => request.headers.get(name) ?? undefined,
): HttpRequest {
  const start = request.url.indexOf('/', request.url.indexOf('://') + 3)
  const target = start < 0 ? '/' : (request.url.slice(start).split('#', 1)[0] ?? '/')
  const mark = target.indexOf('?')
  return {
    method: request.method,
    rawPath: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    secure: request.url.startsWith('https:'),
    remoteAddress,
    header,
    body: (maxBytes) => readBody(request, maxBytes),
  }
}

/** The answer as a `Response`. To HEAD the headers are the same and the body is left out. */
export function toResponse(answer: HttpResponse, method: string): Response {
  const body = method === 'HEAD' || answer.status === 204 || answer.body === null ? null : answer.body
  return new Response(body === null || typeof body === 'string' ? body : Uint8Array.from(body), {
    status: answer.status,
    headers: headersInit(answer.headers),
  })
}

/** Plain members where no name occurs twice: the cheapest form for every runtime. */
function headersInit(lines: HttpResponse['headers']): Headers | Record<string, string> {
  const members: Record<string, string> = Object.fromEntries(lines)
  if (Object.keys(members).length === lines.length) return members
  const headers = new Headers()
  for (const [name, value] of lines) headers.append(name, value)
  return headers
}

export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes)
    throw new LatchkeyError('payload_too_large')
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length
      if (length > maxBytes) throw new LatchkeyError('payload_too_large')
      chunks.push(next.value)
    }
  } catch (cause) {
    void reader.cancel().catch(() => undefined)
    if (isLatchkeyError(cause)) throw cause
    throw new LatchkeyError('parse_error', { message: 'The request body broke off.', cause })
  }
  return Buffer.concat(chunks)
}

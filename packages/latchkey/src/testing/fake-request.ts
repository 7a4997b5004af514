/** A request without a network, for tests of views, gates and authenticators of your own. */
import { LatchkeyError } from '../errors.js'
import type { HttpRequest } from '../request.js'

export interface FakeRequestOptions {
  /** Default is GET. */
  readonly method?: string
  /** Path and query. Default is `/`. */
  readonly url?: string
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly secure?: boolean
  /** Default is 127.0.0.1. */
  readonly remoteAddress?: string
}

export function fakeRequest(options: FakeRequestOptions = {}): HttpRequest {
  const {
    method = 'GET',
    url = '/',
    headers = {},
    body = '',
    secure = false,
    remoteAddress = '127.0.0.1',
  } = options
  const [rawPath = '/', ...query] = url.split('?')
  return {
    method,
    rawPath,
    query: query.join('?'),
    secure,
    remoteAddress,
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    body: async (maxBytes) => {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      if (bytes.length > maxBytes) throw new LatchkeyError('payload_too_large')
      return bytes
    },
  }
}

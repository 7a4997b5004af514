/** An HTTP request and response as Latchkey sees them: what adapters translate to and from. A leaf. */

/**
 * One HTTP request. Adapters build it once per request, without reading the body.
 * Header text is one character per byte (U+0000 to U+00FF), as it came over the wire.
 */
export interface HttpRequest {
  /** Upper case for the methods of RFC 9110; anything else as it was sent. */
  readonly method: string
  /**
   * The path with percent escapes as sent, without the query: `/hello/`. Where a framework has routed the request, the
   * path that its router was given. Permissions get it decoded (`ApiRequest.path`).
   */
  readonly rawPath: string
  /** The raw query without its `?`: `format=json`. */
  readonly query: string
  /** Whether the connection is TLS. Behind a proxy that ends TLS the adapter's caller decides. */
  readonly secure: boolean
  /**
   * The peer of the connection, e.g. `127.0.0.1`; `unix` for the peer of a Unix socket; `''` where the connection is
   * closed already, or header lines may be missing, so that nobody can tell what a proxy added; undefined where the
   * runtime does not say.
   */
  readonly remoteAddress: string | undefined
  /**
   * The framework's own setting by which it believes proxies, in words, where that is set: `trust proxy of Express`.
   * Latchkey does not read it, and warns when `trustedProxies` is not set beside it.
   */
  readonly frameworkProxies?: string | undefined
  /**
   * A header by its lower-case name; the values of a repeated header joined with `,` (cookies with `; `), so that two
   * conflicting `Authorization` headers are one malformed header and never "the first wins". Of headers that decide
   * nothing here (`age`, `etag`, `server` and their like) Node keeps the first.
   */
  header(name: string): string | undefined
  /** The whole body; throws `payload_too_large` as soon as more than `maxBytes` are announced or came. */
  body(maxBytes: number): Promise<Uint8Array>
  /** What a framework's own body parser made of the body already; undefined: nothing has read it. */
  readonly parsedBody?: unknown
}

/** What adapters write back. A header may occur several times (`set-cookie`). */
export interface HttpResponse {
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** `null`: no body. */
  readonly body: string | Uint8Array | null
}

/** A mounted view: everything is decided, only the transport is missing. Never rejects. */
export type Handler = (request: HttpRequest, route?: RouteMatch) => Promise<HttpResponse>

/** What the router found in the path. */
export interface RouteMatch {
  /** `json` of `/hello.json`: DRF's format suffix. */
  readonly formatSuffix?: string
  /** Captured path parameters, percent-decoded. */
  readonly params?: Readonly<Record<string, string>>
}

/** RFC 9110, 9.2.1, as DRF has it: methods that change nothing. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

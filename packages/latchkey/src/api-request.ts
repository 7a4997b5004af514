/** A request on its way through guard and view: DRF's `Request`, with `user`, `auth` and lazily parsed `data`. */
import type { CredentialRequest } from './authenticators/authenticator.js'
import { addressBucket, type ClientAddress, clientAddress, type TrustedProxies } from './client-address.js'
import { ANONYMOUS, type Identity, requireChecked } from './identity.js'
import { printable } from './log-text.js'
import type { ProxyWarnings } from './proxy-warnings.js'
import type { HttpRequest, RouteMatch } from './request.js'
import { decodePath, hasOneReading } from './request-path.js'
import { parseCookies } from './sessions/cookies.js'

export interface ApiRequestContext {
  readonly isTrustedProxy: TrustedProxies
  readonly proxyWarnings: ProxyWarnings
  readonly maxBodyBytes: number
  /** Turns the body into data: the view's parsers. */
  readonly parse: (body: Uint8Array, contentType: string | undefined) => unknown
  readonly route: RouteMatch
  /** Whether a handler of somebody else reads the body behind a guard. */
  readonly leavesBody: boolean
}

const NOTHING: readonly string[] = Object.freeze([])

/** Undefined: not read yet. */
interface ReadParts {
  cookies: ReadonlyMap<string, string> | undefined
  address: string | undefined
  remoteAddress: string | undefined
  data: Promise<unknown> | undefined
  path: string | undefined
}

/** What handlers get. `I` says what is known about who asks. */
export class ApiRequest<I extends Identity = Identity> implements CredentialRequest {
  readonly http: HttpRequest
  readonly #context: ApiRequestContext
  #vary: readonly string[] = NOTHING
  #identity: Identity = ANONYMOUS
  /** What was read of the request so far. A hot request needs none of it, and each field of its own would cost it. */
  #read: ReadParts | null = null

  constructor(http: HttpRequest, context: ApiRequestContext) {
    this.http = http
    this.#context = context
  }

  /** DRF's `request.user`; null for nobody. */
  get user(): I['user'] {
    return this.#identity.user
  }

  /** DRF's `request.auth`: what proved it, e.g. the `Token`; null for a password, a session or nobody. */
  get auth(): I['auth'] {
    return this.#identity.auth
  }

  get method(): string {
    return this.http.method
  }

  /**
   * The path that was routed, percent-decoded once: DRF's `request.path`. `%2F` stays as it is, since it separates no
   * segments. `rawPath` is the path as it was sent.
   */
  get path(): string {
    const parts = this.#parts
    parts.path ??= decodePath(this.http.rawPath)
    return parts.path
  }

  /** The path as it was sent, with its percent escapes. Never decide by it: one path has many such spellings. */
  get rawPath(): string {
    return this.http.rawPath
  }

  /**
   * False where somebody has read the path, and other readers (file servers, the handler) may take it for another one.
   * What permissions say about such a path does not count.
   */
  get isPathClear(): boolean {
    const path = this.#read?.path
    return path === undefined || hasOneReading(this.http.rawPath, path)
  }

  /** Method and path for logs and error listeners, without control characters. */
  get logged(): { readonly method: string; readonly path: string } {
    return { method: printable(this.method), path: printable(decodePath(this.http.rawPath)) }
  }

  get secure(): boolean {
    return this.http.secure
  }

  get remoteAddress(): string | undefined {
    return this.#read?.remoteAddress ?? this.http.remoteAddress
  }

  get address(): string {
    const parts = this.#parts
    if (parts.address === undefined) {
      const { counted } = this.#client()
      this.#context.proxyWarnings.review(this.http, counted)
      parts.address = addressBucket(counted)
    }
    return parts.address
  }

  get clientAddress(): string {
    return this.#client().caller
  }

  get leavesBody(): boolean {
    return this.#context.leavesBody
  }

  /** Parameters of the path, percent-decoded. */
  get params(): Readonly<Record<string, string>> {
    return this.#context.route.params ?? {}
  }

  /** The query's parameters. */
  get query(): URLSearchParams {
    return new URLSearchParams(this.http.query)
  }

  /** Request headers that the answer depends on. */
  get vary(): readonly string[] {
    return this.#vary
  }

  header(name: string): string | undefined {
    return this.http.header(name)
  }

  cookie(name: string): string | undefined {
    const parts = this.#parts
    parts.cookies ??= parseCookies(this.http.header('cookie'))
    return parts.cookies.get(name)
  }

  /**
   * The parsed body, `{}` when it is empty: DRF's `request.data`. Throws `parse_error`, `unsupported_media_type`,
   * `payload_too_large`.
   */
  data(): Promise<unknown> {
    const parts = this.#parts
    parts.data ??= this.#parseBody()
    return parts.data
  }

  varyOn(header: string): void {
    if (!this.#vary.includes(header)) this.#vary = [...this.#vary, header]
  }

  /**
   * Takes the guard's result.
   * @throws TypeError for anything else
   */
  identify(identity: Identity): void {
    this.#identity = requireChecked(identity)
  }

  get #parts(): ReadParts {
    // All of them own members: nothing on `Object.prototype` is taken for one.
    this.#read ??= {
      cookies: undefined,
      address: undefined,
      remoteAddress: undefined,
      data: undefined,
      path: undefined,
    }
    return this.#read
  }

  #client(): ClientAddress {
    const { isTrustedProxy, proxyWarnings } = this.#context
    const { remoteAddress } = this
    const client = clientAddress(remoteAddress, this.http.header('x-forwarded-for'), isTrustedProxy)
    if (client.ignoresForwarded) proxyWarnings.ignoredForwarded('X-Forwarded-For', client.counted)
    return client
  }

  async #parseBody(): Promise<unknown> {
    if (this.http.parsedBody !== undefined) return this.http.parsedBody
    // A caller that closes the connection after its body would have no address, and be counted with others.
    this.#parts.remoteAddress = this.http.remoteAddress
    const body = await this.http.body(this.#context.maxBodyBytes)
    return this.#context.parse(body, this.http.header('content-type'))
  }
}

/**
 * The public keys of another issuer, fetched from its JWKS: simplejwt's JWK_URL. The JWT service asks it for the `kid`
 * of a token; it asks the issuer rarely, however many kids are invented.
 */
import type { Clock } from '../clock.js'
import { LatchkeyError, messageOf } from '../errors.js'
import { verifyingKeyOf } from './jwks.js'
import type { VerifyingKey } from './signing-key.js'

export interface JwksClientOptions {
  readonly url: string
  readonly clock: Clock
  /** Between two fetches lie at least so many. Default is 30. */
  readonly cooldownSeconds?: number
  /** A key set that is older is fetched again before it is believed. Default is 600. */
  readonly maxAgeSeconds?: number
  /** While the issuer does not answer, keys are believed for so long. Default is a day. */
  readonly staleSeconds?: number
  /** Default is 5. */
  readonly timeoutSeconds?: number
  /** Default is 64 KiB. */
  readonly maxBytes?: number
}

export class JwksClient {
  readonly #url: URL
  readonly #clock: Clock
  readonly #limits: Required<Omit<JwksClientOptions, 'url' | 'clock'>>
  #keys: ReadonlyMap<string, readonly VerifyingKey[]> = new Map()
  #fetchedMs = Number.NEGATIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY
  #forgetMs = Number.NEGATIVE_INFINITY
  /** Why the last fetch failed; undefined: it did not. */
  #trouble: unknown
  #fetching: Promise<void> | undefined

  /** @throws TypeError `jwt.jwksUrl: …` */
  constructor({ url, clock, ...limits }: JwksClientOptions) {
    this.#url = checkedJwksUrl(url)
    this.#clock = clock
    this.#limits = {
      cooldownSeconds: 30,
      maxAgeSeconds: 600,
      staleSeconds: 86_400,
      timeoutSeconds: 5,
      maxBytes: 65_536,
      ...limits,
    }
  }

  /** Keys with this `kid` that can be believed without asking; none: ask `find`. */
  known(kid: string): readonly VerifyingKey[] {
    return this.#ageSeconds() < this.#limits.maxAgeSeconds ? (this.#keys.get(kid) ?? []) : []
  }

  /**
   * Keys with this `kid`, after the issuer was asked, unless it was asked a moment ago; of any number of concurrent
   * callers one asks. None: the issuer has no such key. Throws `jwks_unavailable` when that cannot be said now.
   */
  async find(kid: string): Promise<readonly VerifyingKey[]> {
    await this.#refresh()
    const keys = this.#keys.get(kid) ?? []
    if (keys.length > 0 && this.#ageSeconds() < this.#limits.staleSeconds) return keys
    if (this.#trouble === undefined) return []
    const detail = `${this.#url.href}: the keys cannot be fetched: ${reasonOf(this.#trouble)}`
    throw new LatchkeyError('jwks_unavailable', {
      detail,
      cause: this.#trouble,
      retryAfterSeconds: this.#limits.cooldownSeconds,
    })
  }

  /**
   * True once per `maxAgeSeconds`: whatever was verified with these keys is to be verified anew, so that a key that the
   * issuer has withdrawn does not live on in a cache.
   */
  isTimeToForget(nowMs: number): boolean {
    if (nowMs < this.#forgetMs) return false
    this.#forgetMs = nowMs + this.#limits.maxAgeSeconds * 1000
    return true
  }

  #ageSeconds(): number {
    return (this.#clock.nowMs() - this.#fetchedMs) / 1000
  }

  #refresh(): Promise<void> | undefined {
    const nowMs = this.#clock.nowMs()
    if (this.#fetching !== undefined || nowMs - this.#askedMs < this.#limits.cooldownSeconds * 1000) {
      return this.#fetching
    }
    this.#askedMs = nowMs
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = byKid(JSON.parse(await this.#download()))
      this.#fetchedMs = this.#clock.nowMs()
      this.#trouble = undefined
    } catch (error) {
      this.#trouble = error
    }
  }

  /** A redirect is refused: it could lead to plain HTTP, or into a network that only we can reach. */
  async #download(): Promise<string> {
    const { timeoutSeconds, maxBytes } = this.#limits
    const answer = await fetch(this.#url, {
      headers: { accept: 'application/json, application/jwk-set+json' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
    })
    if (!answer.ok || answer.body === null) {
      await answer.body?.cancel()
      throw new Error(`the answer is ${answer.status}`)
    }
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of answer.body) {
      length += chunk.byteLength
      // Leaving the loop cancels the download.
      if (length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  }
}

/**
 * HTTPS, or HTTP on this machine: whoever can change the answer can sign in as anybody.
 * @throws TypeError `jwt.jwksUrl: …`
 */
export function checkedJwksUrl(text: string): URL {
  if (typeof text !== 'string' || !URL.canParse(text)) throw new TypeError('jwt.jwksUrl: must be a URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    throw new TypeError('jwt.jwksUrl: must be https, or http on the loopback address')
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('jwt.jwksUrl: must not contain a password')
  }
  return url
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

function byKid(set: unknown): ReadonlyMap<string, readonly VerifyingKey[]> {
  const listed: unknown = typeof set === 'object' && set !== null ? Reflect.get(set, 'keys') : undefined
  if (!Array.isArray(listed)) throw new Error('the answer is no key set')
  const keys = new Map<string, VerifyingKey[]>()
  for (const key of listed.map(verifyingKeyOf)) {
    if (key?.kid !== undefined) keys.set(key.kid, [...(keys.get(key.kid) ?? []), key])
  }
  return keys
}

/** `fetch` hides what happened in the cause. */
function reasonOf(error: unknown): string {
  const cause: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'cause') : undefined
  return messageOf(cause ?? error)
}

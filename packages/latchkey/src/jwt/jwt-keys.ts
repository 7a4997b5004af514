/**
 * The keys of the JWT service, wherever they are: fixed ones, those of the store, and those of another issuer. It signs
 * and verifies with them; claims are looked at elsewhere.
 */
import { isBranded, JWS_ERROR_BRAND } from '../brand.js'
import type { Clock } from '../clock.js'
import type { Store } from '../stores/store.js'
import type { JsonObject } from './json-object.js'
import { type PublicJwk, publicJwk } from './jwks.js'
import { JwksClient } from './jwks-client.js'
import { signJws, type VerifiedJws, verifyJws } from './jws.js'
import type { CompleteJwtOptions } from './jwt-options.js'
import type { LoadedKeys } from './loaded-keys.js'
import type { VerifyingKey } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'

export interface JwtKeysOptions {
  readonly options: CompleteJwtOptions
  readonly store: Store
  readonly clock: Clock
  /** Those of the store; needed where `options.keys` is `'store'`. */
  readonly signingKeys: SigningKeys | undefined
}

export class JwtKeys {
  readonly #store: Store
  readonly #clock: Clock
  readonly #options: CompleteJwtOptions
  readonly #fixed: readonly VerifyingKey[]
  readonly #stored: LoadedKeys | null
  readonly #remote: JwksClient | null

  /** @throws TypeError `jwt.keys: …` without the keys of the store */
  constructor({ options, store, clock, signingKeys }: JwtKeysOptions) {
    const { signingKey, verifyingKeys, keys, jwksUrl } = options
    if (keys === 'store' && signingKeys === undefined) throw new TypeError('jwt.keys: there are none at hand')
    this.#store = store
    this.#clock = clock
    this.#options = options
    this.#fixed = [...(signingKey === undefined ? [] : [signingKey]), ...verifyingKeys]
    this.#stored = keys === 'store' && signingKeys !== undefined ? signingKeys.loaded : null
    this.#remote = jwksUrl === undefined ? null : new JwksClient({ url: jwksUrl, clock })
  }

  /**
   * Called before an answer from memory: hears what other processes changed. True when a key has come to its end since
   * the last call, so that nothing counts that was verified before.
   */
  catchUp(): boolean {
    this.#store.changes.catchUp()
    if (this.#stored === null && this.#remote === null) return false
    const nowMs = this.#clock.nowMs()
    const hasEnd = this.#stored?.hasNewEnd(nowMs) === true
    return this.#remote?.isTimeToForget(nowMs) === true || hasEnd
  }

  /** Signs with the key of this moment. Throws `signing_key_missing` while the store has none. */
  async sign(payload: JsonObject): Promise<string> {
    await this.#stored?.ready()
    const key = this.#stored?.signing() ?? this.#options.signingKey
    if (key === undefined) throw new TypeError('jwt.signingKey: is missing, so tokens are verified only')
    return signJws(payload, key)
  }

  /**
   * What a token says that one of the keys signed: synchronously, unless the keys of the store have changed or its key
   * has to be fetched. Throws (or rejects with) `JwsError`; `jwks_unavailable`.
   */
  verify(token: string): VerifiedJws | Promise<VerifiedJws> {
    const loading = this.#stored?.ready()
    return loading === undefined ? this.#verifyNow(token) : loading.then(() => this.#verifyNow(token))
  }

  /** The public keys that others verify our tokens with, those that will sign later included. Never a secret of HS*. */
  async published(): Promise<readonly PublicJwk[]> {
    await this.#stored?.ready()
    const { signingKey } = this.#options
    const keys = [...(signingKey === undefined ? [] : [signingKey]), ...(this.#stored?.live() ?? [])]
    return keys.map(publicJwk).filter((jwk) => jwk !== null)
  }

  #verifyNow(token: string): VerifiedJws | Promise<VerifiedJws> {
    const unknown: string[] = []
    try {
      return verifyJws(token, ({ kid }) => {
        if (kid === undefined) return this.#fixed
        const named = [...(this.#stored?.find(kid) ?? []), ...(this.#remote?.known(kid) ?? [])]
        if (named.length === 0) unknown.push(kid)
        return [...this.#fixed, ...named]
      })
    } catch (error) {
      const [kid] = unknown
      if (!isBranded(error, JWS_ERROR_BRAND) || kid === undefined) throw error
      return this.#verifyUnknown(token, kid)
    }
  }

  /** Once more, after asking for the key where it can be. */
  async #verifyUnknown(token: string, kid: string): Promise<VerifiedJws> {
    await this.#stored?.readAgain()
    const stored = this.#stored?.find(kid) ?? []
    const keys = stored.length > 0 || this.#remote === null ? stored : await this.#remote.find(kid)
    return verifyJws(token, keys)
  }
}

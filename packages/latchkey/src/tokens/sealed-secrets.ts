/** Secrets that are shown again, under the keys of this moment. A part of the token service. */
import type { SealedToken } from '../crypto/sealed-record.js'
import type { Resealable, Resealed, Sealer } from '../sealing/sealer.js'
import type { TokenRecord, TokenStore } from '../stores/store.js'
import { TokenSecret } from './token-secret.js'

/** Which record the secret of a token is sealed for. */
export function sealedToken({
  policy,
  userId,
  digest,
}: Pick<TokenRecord, 'policy' | 'userId' | 'digest'>): SealedToken {
  return { kind: 'token', policy, userId, digest }
}

export class SealedSecrets {
  readonly #tokens: TokenStore
  readonly #sealer: Sealer

  constructor(tokens: TokenStore, sealer: Sealer) {
    this.#tokens = tokens
    this.#sealer = sealer
  }

  /** Throws `sealing_key_missing`, `store_unavailable`. */
  seal(text: string, token: Pick<TokenRecord, 'policy' | 'userId' | 'digest'>): Promise<Uint8Array> {
    return this.#sealer.seal(text, sealedToken(token))
  }

  /**
   * The secret of a token. A seal of an old format is replaced. Throws a TypeError for a policy that never shows a
   * secret again; `sealing_key_missing`, `store_unavailable`.
   */
  async open(token: TokenRecord): Promise<TokenSecret> {
    const { sealed } = token
    if (sealed === null) throw new TypeError(`token: policy ${token.policy} never shows a secret again`)
    const secret = new TokenSecret(this.#sealer.open(sealed, sealedToken(token)))
    if (this.#sealer.isOldFormat(sealed)) {
      // Whoever asked has the secret all the same: the next opening tries again.
      await this.#sealer.reseal(this.#resealable(token, sealed)).catch(() => undefined)
    }
    return secret
  }

  /** See `TokenService.reseal`. */
  resealAll(): Promise<Resealed> {
    return this.#sealer.resealEach(this.#all())
  }

  async *#all(): AsyncGenerator<Resealable> {
    for (let afterId = 0; ; ) {
      const records = await this.#tokens.list({}, { afterId, limit: 500 })
      if (records.length === 0) return
      for (const token of records) {
        afterId = token.id
        if (token.sealed !== null) yield this.#resealable(token, token.sealed)
      }
    }
  }

  #resealable(token: TokenRecord, sealed: Uint8Array): Resealable {
    const replace = (fresh: Uint8Array) => this.#tokens.reseal(token.id, sealed, fresh)
    return { record: sealedToken(token), sealed, replace }
  }
}

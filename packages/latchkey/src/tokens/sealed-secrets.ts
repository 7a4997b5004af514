/** Secrets that are shown again, under the keys of this moment. A part of the token service. */
import type { Keyring } from '../crypto/keyring.js'
import { isLatchkeyError } from '../errors.js'
import type { TokenRecord, TokenStore } from '../stores/store.js'
import { TokenSecret } from './token-secret.js'

export class SealedSecrets {
  readonly #tokens: TokenStore
  readonly #keyring: Keyring

  constructor(tokens: TokenStore, keyring: Keyring) {
    this.#tokens = tokens
    this.#keyring = keyring
  }

  seal(text: string, digest: Uint8Array): Uint8Array {
    return this.#keyring.seal(text, digest)
  }

  /** Throws a TypeError for a policy that never shows a secret again; `sealing_key_missing`. */
  open(record: TokenRecord): TokenSecret {
    if (record.sealed === null)
      throw new TypeError(`token: policy ${record.policy} never shows a secret again`)
    return new TokenSecret(this.#keyring.unseal(record.sealed, record.digest))
  }

  /** See `TokenService.reseal`. */
  async resealAll(): Promise<{ readonly resealed: number; readonly unopened: number }> {
    let resealed = 0
    let unopened = 0
    for (let afterId = 0; ; ) {
      const records = await this.#tokens.list({}, { afterId, limit: 500 })
      for (const record of records) {
        afterId = record.id
        if (record.sealed === null || this.#keyring.isNewest(record.sealed)) continue
        try {
          const sealed = this.#keyring.seal(this.open(record).reveal(), record.digest)
          if (await this.#tokens.reseal(record.id, record.sealed, sealed)) resealed += 1
        } catch (error) {
          if (!isLatchkeyError(error, 'sealing_key_missing')) throw error
          unopened += 1
        }
      }
      if (records.length === 0) return { resealed, unopened }
    }
  }
}

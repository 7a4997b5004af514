/**
 * Seals and opens for one store. The store knows by their ids which keys its records are sealed under, so a process
 * with another secret is refused before it seals anything. The token service and the signing keys each have one.
 */
import { type Keyring, keyIdOf } from '../crypto/keyring.js'
import type { SealedRecord } from '../crypto/sealed-record.js'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import type { Store } from '../stores/store.js'

/** The keys of a store and those of the secrets at hand, by their ids: safe to print. */
export interface SealingState {
  /** Keys of the secrets at hand, newest first. */
  readonly held: readonly string[]
  /** Keys that may seal in this store. None: nothing was sealed yet. */
  readonly admitted: readonly string[]
  /** Admitted keys whose secret is not at hand: what is sealed under them cannot be opened. */
  readonly missing: readonly string[]
  /** Whether this process may seal. */
  readonly maySeal: boolean
}

/** How many records were sealed anew, and how many no secret at hand opens. */
export interface Resealed {
  readonly resealed: number
  readonly unopened: number
}

/** A record with its seal, and how its new seal is stored. */
export interface Resealable {
  readonly record: SealedRecord
  readonly sealed: Uint8Array
  /** Compare and swap; false when the stored seal is another one by now. */
  replace(sealed: Uint8Array): Promise<boolean>
}

type SealerStore = Pick<Store, 'sealingKeys' | 'changes'>

export class Sealer {
  readonly #keyring: Keyring
  readonly #store: SealerStore
  /** Keys that the store has admitted, until it says that this may have changed. */
  #admitted = new Set<string>()

  constructor(keyring: Keyring, store: SealerStore) {
    this.#keyring = keyring
    this.#store = store
    store.changes.subscribe(({ kind }) => {
      if (kind === 'keys' || kind === 'all') this.#admitted = new Set()
    })
  }

  /**
   * Seals a text for a record of this store. Throws `sealing_key_missing` when the store's records are sealed under
   * other keys, `store_unavailable`.
   */
  async seal(text: string, record: SealedRecord): Promise<Uint8Array> {
    for (;;) {
      const id = await this.#admittedKey()
      const sealed = this.#keyring.seal(text, record)
      // A live source may have a newer secret by now.
      if (keyIdOf(sealed) === id) return sealed
    }
  }

  /** Throws `sealing_key_missing`: see `Keyring.open`. */
  open(sealed: Uint8Array, record: SealedRecord): string {
    return this.#keyring.open(sealed, record)
  }

  /** Whether a seal has an old format under the newest key. It is replaced when it is opened: once, and cheap. */
  isOldFormat(sealed: Uint8Array): boolean {
    return this.#keyring.isUnderNewest(sealed) && !this.#keyring.isCurrent(sealed)
  }

  /** Seals the text of one record anew. False when another process was faster. Throws as `open` and `seal` do. */
  async reseal({ record, sealed, replace }: Resealable): Promise<boolean> {
    return replace(await this.seal(this.open(sealed, record), record))
  }

  /** Seals anew what is not of the newest format under the newest key. Safe to stop and to repeat. */
  async resealEach(records: AsyncIterable<Resealable>): Promise<Resealed> {
    let resealed = 0
    let unopened = 0
    await this.#admittedKey()
    for await (const one of records) {
      if (this.#keyring.isCurrent(one.sealed)) continue
      let text: string
      try {
        text = this.open(one.sealed, one.record)
      } catch (error) {
        if (!isLatchkeyError(error, 'sealing_key_missing')) throw error
        unopened += 1
        continue
      }
      if (await one.replace(await this.seal(text, one.record))) resealed += 1
    }
    return { resealed, unopened }
  }

  /** Which keys there are, here and in the store. */
  async state(): Promise<SealingState> {
    this.#keyring.refresh()
    const held = this.#keyring.keyIds
    const admitted = await this.#store.sealingKeys.list()
    const missing = admitted.filter((id) => !held.includes(id))
    return Object.freeze({
      held,
      admitted,
      missing,
      maySeal: admitted.length === 0 || missing.length < admitted.length,
    })
  }

  /**
   * Admits the newest key although no secret at hand is one of the store's: for a secret that was lost. What is sealed
   * under other keys stays closed.
   */
  async adopt(): Promise<void> {
    this.#keyring.refresh()
    const [newest = ''] = this.#keyring.keyIds
    await this.#store.sealingKeys.admit(newest, await this.#store.sealingKeys.list())
  }

  /**
   * Withdraws the keys under which nothing is sealed any more: from then on processes that hold only these are refused.
   * Call it after everything was sealed anew.
   *
   * @param keep `'held'`: all keys of the secrets at hand stay; `'newest'`: only the newest stays
   * @returns how many were withdrawn
   */
  async withdraw(keep: 'held' | 'newest'): Promise<number> {
    this.#keyring.refresh()
    const held = this.#keyring.keyIds
    return this.#store.sealingKeys.retain(keep === 'held' ? held : held.slice(0, 1))
  }

  /** The newest key, once the store has admitted it. In memory after the first time. */
  async #admittedKey(): Promise<string> {
    this.#store.changes.catchUp()
    this.#keyring.refresh()
    const held = this.#keyring.keyIds
    const [newest = ''] = held
    if (this.#admitted.has(newest)) return newest
    const admitted = this.#admitted
    if (!(await this.#store.sealingKeys.admit(newest, held))) {
      const known = (await this.#store.sealingKeys.list()).join(', ')
      throw new LatchkeyError('sealing_key_missing', {
        detail:
          `the store's records are sealed under key ${known}, and the secrets given are those of ${held.join(', ')}: ` +
          'give the secret of this store',
      })
    }
    // Another set when the keys changed meanwhile: this answer is then forgotten.
    admitted.add(newest)
    return newest
  }
}

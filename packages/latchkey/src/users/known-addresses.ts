/**
 * Where users have logged in from: what exempts them from the limit per account, so that a stranger cannot lock a user
 * out. Stored as keyed hashes, which tell neither the user nor the address.
 */
import { addressBucket } from '../client-address.js'
import type { Clock } from '../clock.js'
import type { UserId } from '../identity.js'
import type { LoginAddressStore } from '../stores/store.js'

export interface KnownAddressesOptions {
  readonly store: LoginAddressStore
  readonly clock: Clock
  /** Keyed hashes of a text under each of the server's secrets, newest first. */
  readonly macs: (text: string) => readonly Uint8Array[]
}

/** The latest addresses of each user that are kept. */
const KEPT_PER_USER = 10
const DAY_SECONDS = 24 * 3600
const TTL_SECONDS = 90 * DAY_SECONDS

/** Users and addresses whose row this process need not write again today. */
const MAX_NOTED = 10_000

export class KnownAddresses {
  readonly #options: KnownAddressesOptions
  readonly #noted = new Map<string, number>()

  constructor(options: KnownAddressesOptions) {
    this.#options = options
  }

  /**
   * Whether the user has logged in from this address in the last 90 days. For null, an unknown user, it asks the same
   * question of the store, and the answer is false.
   */
  async isKnown(id: UserId | null, address: string): Promise<boolean> {
    const { store, clock, macs } = this.#options
    if (address === '') return false
    return store.isKnown(macs(nameOf(id, address)), new Date(clock.nowMs()))
  }

  /**
   * Stores the address of a successful login. Only the first one of a day writes, so that Basic authentication does not
   * cost a write per request.
   */
  async note(id: UserId, address: string): Promise<void> {
    const { store, clock, macs } = this.#options
    if (address === '') return
    const name = nameOf(id, address)
    const day = Math.floor(clock.nowMs() / 1000 / DAY_SECONDS)
    if (this.#noted.get(name) === day) return
    const [digest] = macs(name)
    if (digest === undefined) return
    const expiresAt = new Date(clock.nowMs() + TTL_SECONDS * 1000)
    await store.note({ digest, userId: id, expiresAt }, KEPT_PER_USER)
    this.#remember(name, day)
  }

  /** Removes what is older than 90 days; returns how many. Throws `store_unavailable`. */
  deleteExpired(): Promise<number> {
    return this.#options.store.deleteExpired(new Date(this.#options.clock.nowMs()))
  }

  #remember(name: string, day: number): void {
    this.#noted.delete(name)
    this.#noted.set(name, day)
    const [oldest] = this.#noted.keys()
    if (this.#noted.size > MAX_NOTED && oldest !== undefined) this.#noted.delete(oldest)
  }
}

/** The user belongs to it: two users at one address have hashes that differ. Ids of the types number and string differ. */
function nameOf(id: UserId | null, address: string): string {
  return JSON.stringify([id, addressBucket(address)])
}

/**
 * Recently verified tokens in memory: what makes a hot verification one hash and one map look-up. The token service
 * asks it before the store and fills it after; the store's change feed empties it.
 */
import type { Identity, UserId } from '../identity.js'
import type { Change } from '../stores/store.js'
import type { UseTally } from './last-used.js'
import type { Token } from './token.js'
import { digestKeyOf } from './token-digest.js'

/** A verified token with its user: expiry and activity are still judged at every use. */
export interface VerifiedToken {
  readonly identity: Identity<Token> & { readonly user: NonNullable<Identity['user']> }
  /** `expiresAt` in milliseconds, `Infinity` for ever: compared at every use. */
  readonly expiresAtMs: number
  /** A use after this moment renews the token; `Infinity`: none does. */
  readonly renewAfterMs: number
  /** Whether it may come from an address; null: from any. */
  readonly allows: ((address: string) => boolean) | null
  /** Where its uses are counted; null: they are not. */
  readonly tally: UseTally | null
}

/** Shared by all cached tokens of one user: forgetting a user is one assignment, however many tokens there are. */
interface Owner {
  current: boolean
}

interface Entry {
  readonly verified: VerifiedToken
  readonly owner: Owner
}

/**
 * At most `2 * maxEntries` entries in two generations: when the young one is full it becomes the old one, and what is
 * asked for again moves back. Eviction costs nothing per request, and what is in use stays.
 */
export class VerifiedCache {
  readonly #maxEntries: number
  #young = new Map<string, Entry>()
  #old = new Map<string, Entry>()
  #youngOwners = new Map<UserId, Owner>()
  #oldOwners = new Map<UserId, Owner>()
  #epoch = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /**
   * Moves with every change. A reader notes it before it asks the store; an answer from before a change is not kept,
   * so that a token revoked while it was being read is not remembered as good.
   */
  get epoch(): number {
    return this.#epoch
  }

  /** How many tokens are held (those of forgotten users included until they are pushed out). */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): VerifiedToken | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young.owner.current ? young.verified : undefined
    const old = this.#old.get(key)
    if (old === undefined || !old.owner.current) return undefined
    this.#old.delete(key)
    this.#put(key, old)
    return old.verified
  }

  set(key: string, verified: VerifiedToken, epoch: number): void {
    if (epoch !== this.#epoch) return
    const userId = verified.identity.auth.userId
    const owner = this.#youngOwners.get(userId) ?? this.#oldOwners.get(userId) ?? { current: true }
    this.#put(key, { verified, owner })
  }

  /** Drops what a change names. */
  apply(change: Change): void {
    this.#epoch += 1
    switch (change.kind) {
      case 'token': {
        const key = digestKeyOf(change.digest)
        this.#young.delete(key)
        this.#old.delete(key)
        return
      }
      case 'user':
        this.#forget(this.#youngOwners, change.userId)
        this.#forget(this.#oldOwners, change.userId)
        return
      case 'jwt':
      case 'keys':
        return
      case 'all':
        this.#young = new Map()
        this.#old = new Map()
        this.#youngOwners = new Map()
        this.#oldOwners = new Map()
    }
  }

  #put(key: string, entry: Entry): void {
    if (this.#young.size >= this.#maxEntries) {
      this.#old = this.#young
      this.#oldOwners = this.#youngOwners
      this.#young = new Map()
      this.#youngOwners = new Map()
    }
    this.#young.set(key, entry)
    this.#youngOwners.set(entry.verified.identity.auth.userId, entry.owner)
  }

  #forget(owners: Map<UserId, Owner>, userId: UserId): void {
    const owner = owners.get(userId)
    if (owner !== undefined) owner.current = false
    owners.delete(userId)
  }
}

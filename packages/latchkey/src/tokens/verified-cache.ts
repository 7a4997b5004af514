/**
 * Recently verified tokens in memory: what makes a hot verification one hash and one map look-up. The token service
 * asks it before the store and fills it after; the store's change feed empties it.
 */
import { Marks } from '../cache-marks.js'
import type { Identity, UserId } from '../identity.js'
import type { Change } from '../stores/store.js'
import type { UseTally } from './last-used.js'
import {
  isSameUser,
  type PackedToken,
  type PackedUser,
  packToken,
  packUser,
  unpackToken,
} from './packed-token.js'
import type { Token } from './token.js'
import { digestKeyOf } from './token-digest.js'

/** A verified token with its user: its end and the user's activity are still judged at every use. */
export interface VerifiedToken {
  readonly identity: Identity<Token> & { readonly user: NonNullable<Identity['user']> }
  /** When its secret stops working, in milliseconds, `Infinity` for never: compared at every use. */
  readonly endsAtMs: number
  /** A use after this moment renews the token; `Infinity`: none does. */
  readonly renewAfterMs: number
  /** Whether it may come from an address; null: from any. */
  readonly allows: ((address: string) => boolean) | null
  readonly tracksUse: boolean
  /** Where its uses are counted, from the first one. */
  tally: UseTally | null
}

/** How many entries are held unpacked: ten megabytes, however large the cache is. Unpacking one costs about 0.5 µs. */
const MAX_UNPACKED = 16_384
/**
 * Of so many that are unpacked one is held. Whoever comes often is soon among them, and where more tokens come than there
 * is room for, little is moved in and out.
 */
const HELD_OF = 8

/**
 * At most `2 * maxEntries` entries in two generations: when the young one is full it becomes the old one, and what is
 * asked for again moves back. Eviction costs nothing per request, and what is in use stays.
 */
export class VerifiedCache {
  readonly #maxEntries: number
  #young = new Map<string, PackedToken>()
  #old = new Map<string, PackedToken>()
  readonly #owners = new Marks<UserId, PackedUser>()
  /** A ring: the one that was unpacked first is packed again. */
  readonly #unpacked: Array<PackedToken | undefined> = []
  #unpackedAt = 0
  #unpackedSinceHeld = 0
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
    const token = this.#young.get(key) ?? this.#recall(key)
    if (token === undefined || !token.owner.current) return undefined
    return token.unpacked ?? this.#unpack(token)
  }

  set(key: string, verified: VerifiedToken, epoch: number): void {
    if (epoch !== this.#epoch) return
    const token = packToken(this.#ownerOf(verified), verified)
    this.#put(key, token)
    this.#keepUnpacked(token)
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
        this.#owners.forget(change.userId)
        return
      case 'jwt':
      case 'keys':
        return
      case 'all':
        this.#young = new Map()
        this.#old = new Map()
        this.#owners.clear()
    }
  }

  #recall(key: string): PackedToken | undefined {
    const token = this.#old.get(key)
    if (token === undefined || !token.owner.current) return undefined
    this.#old.delete(key)
    this.#put(key, token)
    return token
  }

  #put(key: string, token: PackedToken): void {
    if (this.#young.size >= this.#maxEntries) {
      this.#old = this.#young
      this.#young = new Map()
      this.#owners.turn()
    }
    this.#young.set(key, token)
    this.#owners.keep(token.owner.id, token.owner)
  }

  /** One object for all tokens of a user. What was just read counts: if it says more, the user's other tokens go. */
  #ownerOf({ identity: { user } }: VerifiedToken): PackedUser {
    const known = this.#owners.find(user.id)
    if (known !== undefined && isSameUser(known, user)) return known
    this.#owners.forget(user.id)
    return packUser(user)
  }

  #unpack(token: PackedToken): VerifiedToken {
    const verified = unpackToken(token)
    this.#unpackedSinceHeld += 1
    if (this.#unpackedSinceHeld >= HELD_OF) {
      this.#unpackedSinceHeld = 0
      token.unpacked = verified
      this.#keepUnpacked(token)
    }
    return verified
  }

  #keepUnpacked(token: PackedToken): void {
    const first = this.#unpacked[this.#unpackedAt]
    if (first !== undefined) first.unpacked = null
    this.#unpacked[this.#unpackedAt] = token
    this.#unpackedAt = (this.#unpackedAt + 1) % MAX_UNPACKED
  }
}

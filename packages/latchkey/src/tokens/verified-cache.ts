/**
 * Recently verified tokens in memory: what makes a hot verification one hash and one map look-up. The token service
 * asks it before the store and fills it after; the store's change feed empties it.
 */
import { Generations } from '../cache/generations.js'
import { Marks } from '../cache/marks.js'
import { canonicalUserId, type UserId } from '../identity.js'
import type { Change } from '../stores/store.js'
import {
  type PackedToken,
  type PackedUser,
  packToken,
  packUser,
  unpackToken,
  updateUser,
} from './packed-token.js'
import { digestKeyOf } from './token-digest.js'
import type { VerifiedToken } from './verified-token.js'

/** How many entries are held unpacked: ten megabytes, however large the cache is. Unpacking one costs about 0.5 µs. */
const MAX_UNPACKED = 16_384
/**
 * Of so many that are unpacked one is held. Whoever comes often is soon among them, and where more tokens come than there
 * is room for, little is moved in and out.
 */
const HELD_OF = 8

/** At most `2 * maxEntries` tokens, by their digest: see `Generations`. */
export class VerifiedCache {
  readonly #tokens: Generations<PackedToken>
  /** By the one form that all spellings of an id have. */
  readonly #owners = new Marks<UserId, PackedUser>()
  /** A ring: the one that was unpacked first is packed again. */
  #unpacked: Array<PackedToken | undefined> = []
  readonly #maxUnpacked: number
  #unpackedAt = 0
  #unpackedSinceHeld = 0
  #epoch = 0

  constructor(maxEntries: number) {
    this.#maxUnpacked = Math.min(MAX_UNPACKED, 2 * maxEntries)
    this.#tokens = new Generations(maxEntries, {
      isCurrent: ({ owner }) => owner.current,
      onKept: ({ owner }) => this.#owners.keep(owner.canonicalId, owner),
      onTurn: () => this.#owners.turn(),
    })
  }

  /**
   * Moves with every change of a token or a user. A reader notes it before it asks the store; an answer from before a
   * change is not kept, so that a token revoked while it was being read is not remembered as good. And what `get` gave
   * at this epoch it would give again as long as the epoch is the same, unless other tokens have pushed it out.
   */
  get epoch(): number {
    return this.#epoch
  }

  /** How many tokens are held (those of forgotten users included until they are pushed out). */
  get size(): number {
    return this.#tokens.size
  }

  get(key: string): VerifiedToken | undefined {
    const token = this.#tokens.get(key)
    return token && (token.unpacked ?? this.#unpack(token))
  }

  set(key: string, verified: VerifiedToken, epoch: number): void {
    if (epoch !== this.#epoch) return
    const token = packToken(this.#ownerOf(verified), verified)
    this.#tokens.set(key, token)
    this.#keepUnpacked(token)
  }

  /** Drops what a change names. */
  apply(change: Change): void {
    if (change.kind === 'jwt' || change.kind === 'keys') return
    this.#epoch += 1
    switch (change.kind) {
      case 'token':
        this.#tokens.delete(digestKeyOf(change.digest))
        return
      case 'user':
        this.#owners.forget(canonicalUserId(change.userId))
        return
      case 'all':
        this.#tokens.clear()
        this.#owners.clear()
        this.#unpacked = []
        this.#unpackedAt = 0
    }
  }

  /**
   * One object for all tokens of a user. What was just read counts: if it says more than that they logged in, the user's
   * other tokens go.
   */
  #ownerOf({ identity: { user, auth } }: VerifiedToken): PackedUser {
    const known = this.#owners.find(canonicalUserId(auth.userId))
    if (known !== undefined) {
      // A token that spells the id otherwise says so when it is unpacked: it needs an object of its own.
      if (known.id === auth.userId && updateUser(known, user)) return known
      this.apply({ kind: 'user', userId: auth.userId })
    }
    return packUser(auth.userId, user)
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
    this.#unpackedAt = (this.#unpackedAt + 1) % this.#maxUnpacked
  }
}

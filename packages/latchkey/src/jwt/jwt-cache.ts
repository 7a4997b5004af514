/** Recently verified JWTs in memory: the JWT service asks it before it checks a signature; the change feed empties it. */
import type { Identity, UserId } from '../identity.js'
import type { Change } from '../stores/store.js'
import type { ClaimTimes } from './claims.js'
import type { JsonObject } from './json-object.js'

interface Entry {
  readonly identity: Identity<JsonObject>
  /** Every id that a change may name the user by. */
  readonly userIds: readonly UserId[]
  readonly jti: string
  /** The token's `exp`, judged at every use. */
  readonly exp: number
}

/**
 * At most `2 * maxEntries` tokens in two generations, by the digest of the whole token.
 */
export class JwtCache {
  readonly #maxEntries: number
  #young = new Map<string, Entry>()
  #old = new Map<string, Entry>()
  #epoch = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /** Moves with every change: an answer from before a change is not kept. */
  get epoch(): number {
    return this.#epoch
  }

  /** Undefined once it has expired: the cold path then refuses it in its own words. */
  get(key: string, { nowSeconds, leewaySeconds }: ClaimTimes): Identity<JsonObject> | undefined {
    const entry = this.#young.get(key) ?? this.#revive(key)
    return entry !== undefined && entry.exp > nowSeconds - leewaySeconds ? entry.identity : undefined
  }

  set(key: string, identity: Identity<JsonObject>, facts: Omit<Entry, 'identity'>, epoch: number): void {
    if (epoch === this.#epoch && this.#maxEntries > 0) this.#put(key, { identity, ...facts })
  }

  /** Drops what a change names. Changes are rare beside verifications: one walk over what is held. */
  apply(change: Change): void {
    if (change.kind === 'token') return
    this.#epoch += 1
    if (change.kind === 'all' || change.kind === 'keys') {
      this.#young = new Map()
      this.#old = new Map()
      return
    }
    const isNamed = (entry: Entry) =>
      change.kind === 'user' ? entry.userIds.includes(change.userId) : entry.jti === change.jti
    for (const generation of [this.#young, this.#old]) {
      for (const [key, entry] of generation) if (isNamed(entry)) generation.delete(key)
    }
  }

  #revive(key: string): Entry | undefined {
    const entry = this.#old.get(key)
    if (entry !== undefined) this.#put(key, entry)
    return entry
  }

  #put(key: string, entry: Entry): void {
    if (this.#young.size >= this.#maxEntries) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, entry)
  }
}

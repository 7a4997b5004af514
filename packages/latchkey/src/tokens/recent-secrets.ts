/**
 * What was just found behind the secrets that come most often: spares the hot path its SHA-256 and its look into the
 * verified cache. Part of the token verifier.
 */
import type { VerifiedToken } from './verified-token.js'

/** Secrets per generation: with two generations six megabytes at most, and the tokens behind them ten. */
const MAX_ENTRIES = 8192
const MAX_SECRET_LENGTH = 256
const GENERATION_MS = 10_000
/** Of so many secrets that are offered one is taken: those that come often are soon here, and the others cost nothing. */
const TAKEN_OF = 8

/** What is known of a secret. */
export interface RecentSecret {
  /** Its digest as text: a pure function of the secret, true for ever. */
  readonly key: string
  /** What the verified cache had under that key. */
  verified: VerifiedToken
  /** The cache's epoch then: the token is still what it was as long as the cache has this one. */
  epoch: number
}

/** No cache has this epoch. */
const NO_EPOCH = -1

/**
 * Secret -> what was found, for secrets that have just been verified.
 *
 * The secrets are usable, as they are in the buffers of the requests that bring them; so they stay in memory only for
 * as long as traffic brings them: an entry goes with the first verification that comes two generations (20 seconds)
 * after its last use. They are never written anywhere.
 */
export class RecentSecrets {
  #young = new Map<string, RecentSecret>()
  #old = new Map<string, RecentSecret>()
  #endsAtMs = 0
  #offered = 0

  get(secret: string, nowMs: number): RecentSecret | undefined {
    // Also when the clock was set back.
    if (nowMs >= this.#endsAtMs || this.#endsAtMs - nowMs > GENERATION_MS) this.#age(nowMs)
    return this.#young.get(secret) ?? this.#recall(secret, nowMs)
  }

  /** Takes it or not. */
  offer(secret: string, found: RecentSecret, nowMs: number): void {
    this.#offered += 1
    if (this.#offered < TAKEN_OF) return
    this.#offered = 0
    this.set(secret, found, nowMs)
  }

  set(secret: string, found: RecentSecret, nowMs: number): void {
    if (secret.length > MAX_SECRET_LENGTH) return
    if (this.#young.size >= MAX_ENTRIES) this.#age(nowMs)
    this.#young.set(secret, found)
  }

  /** How many secrets are held. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  #recall(secret: string, nowMs: number): RecentSecret | undefined {
    const found = this.#old.get(secret)
    if (found === undefined) return undefined
    // Now and then the cache is to be asked, which keeps what it is asked for.
    found.epoch = NO_EPOCH
    this.set(secret, found, nowMs)
    return found
  }

  #age(nowMs: number): void {
    // Nobody looked for a generation, or the clock was set back: both may be too old.
    const isOld = nowMs - this.#endsAtMs >= GENERATION_MS || this.#endsAtMs - nowMs > GENERATION_MS
    this.#old = isOld ? new Map() : this.#young
    this.#young = new Map()
    this.#endsAtMs = nowMs + GENERATION_MS
  }
}

/** Digests of the secrets that were good a moment ago: spares the hot path its SHA-256. Part of the token verifier. */

/** Secrets per generation: with two generations six megabytes at most. */
const MAX_ENTRIES = 8192
const MAX_SECRET_LENGTH = 256
const GENERATION_MS = 10_000
/** Of so many secrets that are offered one is taken: those that come often are soon here, and the others cost nothing. */
const TAKEN_OF = 8

/**
 * Secret -> digest key, for secrets that have just been verified. Only a pure function is remembered: whether the
 * token is still good is asked of the verified cache at every use, as without this.
 *
 * The secrets are usable, as they are in the buffers of the requests that bring them; so they stay in memory only for
 * as long as traffic brings them: an entry goes with the first verification that comes two generations (20 seconds)
 * after its last use. They are never written anywhere.
 */
export class RecentSecrets {
  #young = new Map<string, string>()
  #old = new Map<string, string>()
  #endsAtMs = 0
  #offered = 0

  get(secret: string, nowMs: number): string | undefined {
    // Also when the clock was set back.
    if (nowMs >= this.#endsAtMs || this.#endsAtMs - nowMs > GENERATION_MS) this.#age(nowMs)
    return this.#young.get(secret) ?? this.#recall(secret, nowMs)
  }

  /** Takes it or not. */
  offer(secret: string, key: string, nowMs: number): void {
    this.#offered += 1
    if (this.#offered < TAKEN_OF) return
    this.#offered = 0
    this.set(secret, key, nowMs)
  }

  set(secret: string, key: string, nowMs: number): void {
    if (secret.length > MAX_SECRET_LENGTH) return
    if (this.#young.size >= MAX_ENTRIES) this.#age(nowMs)
    this.#young.set(secret, key)
  }

  /** How many secrets are held. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  #recall(secret: string, nowMs: number): string | undefined {
    const key = this.#old.get(secret)
    if (key !== undefined) this.set(secret, key, nowMs)
    return key
  }

  #age(nowMs: number): void {
    // Nobody looked for a generation, or the clock was set back: both may be too old.
    const isOld = nowMs - this.#endsAtMs >= GENERATION_MS || this.#endsAtMs - nowMs > GENERATION_MS
    this.#old = isOld ? new Map() : this.#young
    this.#young = new Map()
    this.#endsAtMs = nowMs + GENERATION_MS
  }
}

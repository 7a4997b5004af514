/**
 * What was just found behind the secrets that come most often: spares the hot path its SHA-256 and its look into the
 * verified cache. Part of the token verifier.
 */
import type { VerifiedToken } from './verified-token.js'

/** Secrets per generation: with two generations six megabytes at most, and the tokens behind them ten. */
const MAX_ENTRIES = 8192
const MAX_TEXT_LENGTH = 256
const GENERATION_MS = 10_000
/** Of so many secrets that are offered one is taken: those that come often are soon here, and the others cost nothing. */
const TAKEN_OF = 8

/** What is known of a secret. */
export interface RecentSecret {
  /** Where in its text it begins. */
  readonly secretStart: number
  /** Its digest as text: a pure function of the secret, true for ever. */
  readonly key: string
  /** What the verified cache had under that key. */
  verified: VerifiedToken
  /**
   * What nearly every use asks of it: until when nothing else is to be asked, and the policy. They stand here again because
   * between two requests a processor forgets: each object on the way to them is a wait for memory.
   */
  plainUntilMs: number
  policy: string
  identity: VerifiedToken['identity']
  /** The cache's epoch then: the token is still what it was as long as the cache has this one. */
  epoch: number
}

/** No cache has this epoch. */
const NO_EPOCH = -1

/**
 * Text -> what was found behind the secret at its end, for secrets that have just been verified.
 *
 * The text is the one that came, a header with its keyword: a copy of the secret alone would be a view into it, which
 * V8 hashes and compares by slower ways than a text of its own. That took a third of all that a guard adds to a request.
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

  get(text: string, secretStart: number, nowMs: number): RecentSecret | undefined {
    // Also when the clock was set back.
    if (nowMs >= this.#endsAtMs || this.#endsAtMs - nowMs > GENERATION_MS) this.#age(nowMs)
    const found = this.#young.get(text) ?? this.#recall(text, nowMs)
    // `Token abc` is one secret to whom gives it as a whole, and `abc` behind a keyword another.
    return found?.secretStart === secretStart ? found : undefined
  }

  /** Takes it or not. */
  offer(text: string, found: RecentSecret, nowMs: number): void {
    this.#offered += 1
    if (this.#offered < TAKEN_OF) return
    this.#offered = 0
    this.set(text, found, nowMs)
  }

  set(text: string, found: RecentSecret, nowMs: number): void {
    if (text.length > MAX_TEXT_LENGTH) return
    if (this.#young.size >= MAX_ENTRIES) this.#age(nowMs)
    this.#young.set(text, found)
  }

  /** How many secrets are held. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  #recall(text: string, nowMs: number): RecentSecret | undefined {
    const found = this.#old.get(text)
    if (found === undefined) return undefined
    // Now and then the cache is to be asked, which keeps what it is asked for.
    found.epoch = NO_EPOCH
    this.set(text, found, nowMs)
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

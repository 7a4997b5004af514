/** How much tokens are used: counted in memory on the hot path, written in batches. A part of the token verifier. */
import type { TokenStore, TokenUse } from '../stores/store.js'
import { digestBytes } from './token-digest.js'

export interface LastUsedOptions {
  readonly tokens: Pick<TokenStore, 'recordUses'>
  /** How long a use may wait to be written; a crash loses no more than that. */
  readonly flushSeconds: number
  /** Told when a batch could not be written; it stays in memory and is tried again. */
  readonly onTrouble: (error: unknown) => void
}

/** What one secret was used since the last batch. Kept with the verified token, so that a use costs no look-up. */
export interface UseTally {
  readonly tokenId: number
  /** The digest as text. */
  readonly key: string
  count: number
  lastUsedMs: number
  lastUsedAddress: string | null
}

/** Secrets used since the last batch beyond which one is written early. */
const MAX_WAITING = 1000

export class LastUsed {
  readonly #options: LastUsedOptions
  /** By the digest's text: one tally per secret, however often it was looked up. */
  #waiting = new Map<string, UseTally>()
  #timer: NodeJS.Timeout | null = null
  #flushing: Promise<void> = Promise.resolve()
  #isFlushing = false
  /** The last batch was not written: the next one waits for its time, however much there is. */
  #isTroubled = false

  constructor(options: LastUsedOptions) {
    this.#options = options
  }

  /** For a secret that was just looked up. */
  tallyOf(tokenId: number, key: string): UseTally {
    return { tokenId, key, count: 0, lastUsedMs: 0, lastUsedAddress: null }
  }

  note(tally: UseTally, nowMs: number, address: string | null): void {
    // A tally that counts is the one that waits; another one of the same secret may be waiting instead.
    const waiting = tally.count > 0 ? tally : this.#wait(tally)
    waiting.count += 1
    waiting.lastUsedMs = nowMs
    waiting.lastUsedAddress = address
    if (this.#waiting.size < MAX_WAITING || this.#isFlushing || this.#isTroubled) return
    this.flush().catch(this.#options.onTrouble)
  }

  /** Writes what has been counted so far, in one batch. Rejects with what the store said; the counts are kept then. */
  flush(): Promise<void> {
    this.#isFlushing = true
    this.#flushing = this.#flushing
      .catch(() => undefined)
      .then(() => this.#write())
      .finally(() => {
        this.#isFlushing = false
      })
    return this.#flushing
  }

  #wait(tally: UseTally): UseTally {
    const waiting = this.#waiting.get(tally.key)
    if (waiting !== undefined) return waiting
    this.#waiting.set(tally.key, tally)
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.flush().catch(this.#options.onTrouble)
    }, this.#options.flushSeconds * 1000).unref()
    return tally
  }

  async #write(): Promise<void> {
    const batch = [...this.#waiting.values()]
    if (batch.length === 0) return
    this.#waiting = new Map()
    const uses = batch.map(takeUse)
    try {
      await this.#options.tokens.recordUses(uses)
      this.#isTroubled = false
    } catch (error) {
      this.#isTroubled = true
      for (const [index, tally] of batch.entries()) this.#giveBack(tally, uses[index])
      throw error
    }
  }

  #giveBack(tally: UseTally, use: TokenUse | undefined): void {
    if (use === undefined) return
    const waiting = this.#wait(tally)
    if (waiting.count === 0) {
      waiting.lastUsedMs = use.lastUsedAt.getTime()
      waiting.lastUsedAddress = use.lastUsedAddress
    }
    waiting.count += use.count
  }
}

function takeUse(tally: UseTally): TokenUse {
  const { tokenId, key, count, lastUsedMs, lastUsedAddress } = tally
  tally.count = 0
  return { tokenId, digest: digestBytes(key), count, lastUsedAt: new Date(lastUsedMs), lastUsedAddress }
}

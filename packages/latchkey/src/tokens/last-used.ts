/** How much tokens are used: counted in memory on the hot path, written in batches. A part of the token verifier. */
import type { TokenStore, TokenUse } from '../stores/store.js'

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
  readonly digest: Uint8Array
  count: number
  lastUsedMs: number
  lastUsedAddress: string | null
}

/** Secrets used since the last batch beyond which one is written early. */
const MAX_DIRTY = 1000

export class LastUsed {
  readonly #options: LastUsedOptions
  #dirty: UseTally[] = []
  #timer: NodeJS.Timeout | null = null
  #flushing: Promise<void> = Promise.resolve()

  constructor(options: LastUsedOptions) {
    this.#options = options
  }

  /** For a secret that was just looked up. */
  tallyOf(tokenId: number, digest: Uint8Array): UseTally {
    return { tokenId, digest, count: 0, lastUsedMs: 0, lastUsedAddress: null }
  }

  note(tally: UseTally, nowMs: number, address: string | null): void {
    if (tally.count === 0) this.#add(tally)
    tally.count += 1
    tally.lastUsedMs = nowMs
    tally.lastUsedAddress = address
  }

  /** Writes what has been counted so far, in one batch. Rejects with what the store said; the counts are kept then. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#write())
    return this.#flushing
  }

  #add(tally: UseTally): void {
    this.#dirty.push(tally)
    if (this.#dirty.length === MAX_DIRTY) this.flush().catch(this.#options.onTrouble)
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.flush().catch(this.#options.onTrouble)
    }, this.#options.flushSeconds * 1000).unref()
  }

  async #write(): Promise<void> {
    const batch = this.#dirty
    if (batch.length === 0) return
    this.#dirty = []
    const uses = batch.map(takeUse)
    try {
      await this.#options.tokens.recordUses(uses)
    } catch (error) {
      for (const [index, tally] of batch.entries()) this.#giveBack(tally, uses[index])
      throw error
    }
  }

  #giveBack(tally: UseTally, use: TokenUse | undefined): void {
    if (use === undefined) return
    if (tally.count === 0) {
      tally.lastUsedMs = use.lastUsedAt.getTime()
      tally.lastUsedAddress = use.lastUsedAddress
      this.#add(tally)
    }
    tally.count += use.count
  }
}

function takeUse(tally: UseTally): TokenUse {
  const { tokenId, digest, count, lastUsedMs, lastUsedAddress } = tally
  tally.count = 0
  return { tokenId, digest, count, lastUsedAt: new Date(lastUsedMs), lastUsedAddress }
}

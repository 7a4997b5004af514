/**
 * The room of a verified cache: so many entries, of which those in use stay. The caches of tokens and of JWTs lie in one
 * each.
 */

/** What a cache says of its entries. */
export interface EntryRules<Entry> {
  /** False: a change has named it, and it is as good as gone. */
  readonly isCurrent: (entry: Entry) => boolean
  /** It comes into the young generation, for the first time or again: its marks are to be kept. */
  readonly onKept: (entry: Entry) => void
  /** The young generation has become the old one. */
  readonly onTurn: () => void
}

/**
 * At most `2 * maxEntries` entries in two generations: when `maxEntries` have come into the young one it becomes the old
 * one, and what is asked for again moves back. Eviction costs nothing per request.
 */
export class Generations<Entry> {
  readonly #maxEntries: number
  readonly #rules: EntryRules<Entry>
  #young = new Map<string, Entry>()
  #old = new Map<string, Entry>()
  #setsSinceTurn = 0

  constructor(maxEntries: number, rules: EntryRules<Entry>) {
    this.#maxEntries = maxEntries
    this.#rules = rules
  }

  /** How many are held, those that are no longer current included until they are pushed out. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Entry | undefined {
    const entry = this.#young.get(key) ?? this.#recall(key)
    return entry !== undefined && this.#rules.isCurrent(entry) ? entry : undefined
  }

  set(key: string, entry: Entry): void {
    // Counted rather than weighed: where entries come and are deleted again, their marks must go too.
    this.#setsSinceTurn += 1
    if (this.#setsSinceTurn > this.#maxEntries) {
      this.#setsSinceTurn = 1
      this.#old = this.#young
      this.#young = new Map()
      this.#rules.onTurn()
    }
    this.#young.set(key, entry)
    this.#rules.onKept(entry)
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }

  #recall(key: string): Entry | undefined {
    const entry = this.#old.get(key)
    if (entry === undefined || !this.#rules.isCurrent(entry)) return undefined
    this.#old.delete(key)
    this.set(key, entry)
    return entry
  }
}

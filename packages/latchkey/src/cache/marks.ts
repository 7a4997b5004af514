/**
 * What several answers in memory have in common: a user, a token's id. A change takes all of them away with one
 * assignment, however many they are. A leaf below the verified caches.
 */

/** Held by every answer that was made from it. */
export interface Mark {
  /** False: what holds this is no longer to be given. */
  current: boolean
}

/** Marks by name, in two generations that their cache turns when it turns its own: they go when its entries go. */
export class Marks<Name, OneMark extends Mark = Mark> {
  #young = new Map<Name, OneMark>()
  #old = new Map<Name, OneMark>()

  /** The one that is current. */
  find(name: Name): OneMark | undefined {
    return this.#young.get(name) ?? this.#old.get(name)
  }

  /** Called for each entry that comes into the young generation: its marks must be found as long as it is. */
  keep(name: Name, mark: OneMark): void {
    this.#young.set(name, mark)
  }

  turn(): void {
    this.#old = this.#young
    this.#young = new Map()
  }

  forget(name: Name): void {
    for (const generation of [this.#young, this.#old]) {
      const mark = generation.get(name)
      if (mark !== undefined) mark.current = false
      generation.delete(name)
    }
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }
}

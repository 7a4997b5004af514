/**
 * Removes the rows of expired tokens that were presented, after their requests were answered: the time of the answer
 * does not tell that the token existed. Part of the token verifier.
 */
import { setImmediate } from 'node:timers'

/** Beyond so many that wait, others stay until they are presented again, or until `tokens.deleteExpired()`. */
const MAX_WAITING = 1000

export class ExpiredRemovals {
  readonly #remove: (id: number) => Promise<unknown>
  readonly #waiting = new Set<number>()
  #running: Promise<void> = Promise.resolve()

  constructor(remove: (id: number) => Promise<unknown>) {
    this.#remove = remove
  }

  /** Never waits and never throws. The row is removed when this turn of the event loop is over. */
  note(id: number): void {
    if (this.#waiting.size >= MAX_WAITING) return
    if (this.#waiting.size === 0) setImmediate(() => void this.settle())
    this.#waiting.add(id)
  }

  /** Resolves when everything that was noted has been tried. */
  settle(): Promise<void> {
    if (this.#waiting.size > 0) this.#running = this.#running.then(() => this.#removeAll())
    return this.#running
  }

  async #removeAll(): Promise<void> {
    for (const id of this.#waiting) {
      this.#waiting.delete(id)
      // If the store cannot now, the next caller who presents the token tries again.
      await this.#remove(id).catch(() => undefined)
    }
  }
}

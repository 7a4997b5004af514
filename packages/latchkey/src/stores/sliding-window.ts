/** The events of one counter key in this process's memory: the memory store's, and what throttles know of a key. */
import type { CounterEvents, CounterLimit } from './store.js'

/** Two lists of numbers, because there are very many windows: a moment takes 16 bytes. */
export class SlidingWindow {
  /** Ascending. */
  readonly #timesMs: number[] = []
  readonly #counts: number[] = []

  /**
   * How long until there is room for one more event; 0 while there is. Events less than a period *after* `nowMs` count as
   * well: callers' clocks differ a little.
   */
  waitSeconds({ maxCount, periodSeconds }: CounterLimit, nowMs: number): number {
    const periodMs = periodSeconds * 1000
    if (maxCount < 1) return periodSeconds
    let room = maxCount
    for (let index = this.#timesMs.length - 1; index >= 0; index -= 1) {
      const atMs = this.#timesMs[index] ?? 0
      if (atMs >= nowMs + periodMs) continue
      if (atMs <= nowMs - periodMs) break
      room -= this.#counts[index] ?? 0
      if (room <= 0) return (atMs + periodMs - nowMs) / 1000
    }
    return 0
  }

  add(atMs: number, count: number): void {
    let index = this.#timesMs.length
    while (index > 0 && (this.#timesMs[index - 1] ?? 0) > atMs) index -= 1
    if (this.#timesMs[index - 1] === atMs) this.#counts[index - 1] = (this.#counts[index - 1] ?? 0) + count
    else if (index === this.#timesMs.length) {
      this.#timesMs.push(atMs)
      this.#counts.push(count)
    } else {
      this.#timesMs.splice(index, 0, atMs)
      this.#counts.splice(index, 0, count)
    }
  }

  /** Removes one event at this moment, if there is one. */
  remove(atMs: number): void {
    const index = this.#timesMs.indexOf(atMs)
    const count = this.#counts[index]
    if (count === undefined) return
    if (count > 1) this.#counts[index] = count - 1
    else {
      this.#timesMs.splice(index, 1)
      this.#counts.splice(index, 1)
    }
  }

  /** The youngest events that it takes to reach `maxCount`, as `CounterStore.merge` answers. */
  youngest({ maxCount, periodSeconds }: CounterLimit, nowMs: number): CounterEvents[] {
    const periodMs = periodSeconds * 1000
    const events: CounterEvents[] = []
    let room = maxCount
    for (let index = this.#timesMs.length - 1; index >= 0 && room > 0; index -= 1) {
      const [atMs = 0, count = 0] = [this.#timesMs[index], this.#counts[index]]
      if (Math.abs(atMs - nowMs) >= periodMs) continue
      events.push({ atMs, count })
      room -= count
    }
    return events.reverse()
  }

  /** Everything that it holds, oldest first. */
  events(): CounterEvents[] {
    return this.#timesMs.map((atMs, index) => ({ atMs, count: this.#counts[index] ?? 0 }))
  }

  /** Forgets events at this moment and before. */
  forgetUntil(atMs: number): void {
    let leaving = 0
    while (leaving < this.#timesMs.length && (this.#timesMs[leaving] ?? 0) <= atMs) leaving += 1
    if (leaving === 0) return
    this.#timesMs.splice(0, leaving)
    this.#counts.splice(0, leaving)
  }
}

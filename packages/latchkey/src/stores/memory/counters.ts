/** The memory store's counters: one sliding window per key. */
import { SlidingWindow } from '../sliding-window.js'
import type { CounterLimit, CounterStore } from '../store.js'
import { methodsOf, type Tables } from './tables.js'

interface Counter {
  readonly window: SlidingWindow
  /** When the youngest event stops to count. */
  endMs: number
}

/** How far the clocks of callers may lie apart before an old event is forgotten too early. */
const CLOCK_SLACK_MS = 60_000

const EMPTY = new SlidingWindow()

export function counterStore(tables: Tables): CounterStore {
  const counters = new Map<string, Counter>()
  const method = methodsOf(tables)
  const look = (key: string, limit: CounterLimit, nowMs: number) => {
    const waitSeconds = (counters.get(key)?.window ?? EMPTY).waitSeconds(limit, nowMs)
    return { allowed: waitSeconds === 0, waitSeconds }
  }
  const add = (key: string, limit: CounterLimit, atMs: number, count: number, nowMs: number) => {
    const periodMs = limit.periodSeconds * 1000
    const { window, endMs } = counters.get(key) ?? { window: new SlidingWindow(), endMs: 0 }
    window.forgetUntil(nowMs - CLOCK_SLACK_MS - periodMs)
    window.add(atMs, count)
    counters.delete(key)
    counters.set(key, { window, endMs: Math.max(endMs, atMs + periodMs) })
  }
  const forget = (nowMs: number) => {
    // Keys move to the end when they are counted, so the ones nobody uses any more come first.
    for (const [key, { endMs }] of counters) {
      if (endMs > nowMs - CLOCK_SLACK_MS) return
      counters.delete(key)
    }
  }
  return {
    hit: method((key, limit, nowMs) => {
      forget(nowMs)
      const before = look(key, limit, nowMs)
      if (!before.allowed) return before
      add(key, limit, nowMs, 1, nowMs)
      return { allowed: true, waitSeconds: look(key, limit, nowMs).waitSeconds }
    }),
    peek: method(look),
    merge: method((batch, nowMs) => {
      forget(nowMs)
      for (const { key, limit, events } of batch)
        for (const { atMs, count } of events) add(key, limit, atMs, count, nowMs)
      return batch.map(({ key, limit }) => counters.get(key)?.window.youngest(limit, nowMs) ?? [])
    }),
    undo: method((key, atMs) => counters.get(key)?.window.remove(atMs)),
    clear: method((key) => void counters.delete(key)),
  }
}

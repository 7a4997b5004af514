/** The memory store's counters: one sorted list of times per key. */
import type { CounterLimit, CounterStore } from '../store.js'
import { methodsOf, type Tables } from './tables.js'

interface CounterEvents {
  /** Ascending. */
  readonly timesMs: number[]
  /** When the youngest event stops to count. */
  endMs: number
}

/** How far the clocks of callers may lie apart before an old event is forgotten too early. */
const CLOCK_SLACK_MS = 60_000

export function counterStore(tables: Tables): CounterStore {
  const events = new Map<string, CounterEvents>()
  const method = methodsOf(tables)
  /** Events less than a period before or after `nowMs`: callers' clocks differ a little, so "after" counts too. */
  const look = (key: string, limit: CounterLimit, nowMs: number) => {
    const periodMs = limit.periodSeconds * 1000
    const near = (events.get(key)?.timesMs ?? []).filter((at) => Math.abs(at - nowMs) < periodMs)
    if (near.length < limit.maxCount) return { allowed: true, waitSeconds: 0 }
    const leavesFirst = near[near.length - limit.maxCount] ?? nowMs
    return { allowed: false, waitSeconds: (leavesFirst + periodMs - nowMs) / 1000 }
  }
  const forget = (nowMs: number) => {
    // Keys move to the end when hit, so the ones nobody uses any more come first.
    for (const [key, { endMs }] of events) {
      if (endMs > nowMs - CLOCK_SLACK_MS) return
      events.delete(key)
    }
  }
  return {
    hit: method((key, limit, nowMs) => {
      forget(nowMs)
      const before = look(key, limit, nowMs)
      if (!before.allowed) return before
      const periodMs = limit.periodSeconds * 1000
      const known = events.get(key) ?? { timesMs: [], endMs: 0 }
      const timesMs = known.timesMs.filter((at) => at + periodMs > nowMs - CLOCK_SLACK_MS)
      timesMs.push(nowMs)
      timesMs.sort((a, b) => a - b)
      events.delete(key)
      events.set(key, { timesMs, endMs: Math.max(known.endMs, nowMs + periodMs) })
      return { allowed: true, waitSeconds: look(key, limit, nowMs).waitSeconds }
    }),
    peek: method(look),
    clear: method((key) => void events.delete(key)),
  }
}

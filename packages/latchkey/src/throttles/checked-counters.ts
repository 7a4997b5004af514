/** Counters that an app brings, with their answers checked where they enter: limits are decided by them. */
import { checkAnswer, rule } from '../options.js'
import type { CounterStore } from '../stores/store.js'

/** Wraps `createLatchkey({ counters })`. Its methods reject with a TypeError for an answer that is none. */
export function checkedCounters(counters: CounterStore): CounterStore {
  return Object.freeze<CounterStore>({
    async hit(key, limit, nowMs) {
      const answer = await counters.hit(key, limit, nowMs)
      checkAnswer('counters.hit()', answer, LIMIT_ANSWER)
      return answer
    },
    async peek(key, limit, nowMs) {
      const answer = await counters.peek(key, limit, nowMs)
      checkAnswer('counters.peek()', answer, LIMIT_ANSWER)
      return answer
    },
    async merge(batch, nowMs) {
      const answer = await counters.merge(batch, nowMs)
      checkAnswer('counters.merge()', answer, MERGE_ANSWER)
      return answer
    },
    undo: async (key, atMs) => counters.undo(key, atMs),
    clear: async (key) => counters.clear(key),
  })
}

const LIMIT_ANSWER = rule('be { allowed, waitSeconds }', (value) => {
  if (typeof value !== 'object' || value === null) return false
  const { allowed, waitSeconds }: { readonly allowed?: unknown; readonly waitSeconds?: unknown } = value
  return typeof allowed === 'boolean' && Number.isFinite(waitSeconds) && Number(waitSeconds) >= 0
})

const MERGE_ANSWER = rule(
  'be a list of lists of { atMs, count }',
  (value) => Array.isArray(value) && value.every((events) => Array.isArray(events) && events.every(isEvent)),
)

function isEvent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { atMs, count }: { readonly atMs?: unknown; readonly count?: unknown } = value
  return Number.isFinite(atMs) && Number.isFinite(count)
}

/** Counters in Redis, for `createLatchkey({ counters })`: what throttles and failed logins are counted in. */
import { checkOptions, rule, TEXT } from '../options.js'
import type { CounterEvents, CounterLimit, CounterStore } from '../stores/store.js'
import { answerWithin, type RedisClient, runScript, send } from './client.js'
import { HIT, MERGE, UNDO } from './counter-scripts.js'

export interface RedisCountersOptions {
  /** What the keys begin with. Default is `latchkey:counters:`. */
  readonly prefix?: string
  /** How long Redis may take to answer, a lost connection included. Default is 1000. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = rule(
  'be a number above 0, to 60000',
  (value) => typeof value === 'number' && value > 0 && value <= 60_000,
)

/**
 * The counters of all processes that share this Redis, each method one atomic step. They are the only thing in it, and
 * nobody's only copy of anything: a Redis that was emptied has forgotten who is throttled.
 *
 * A Redis that cannot be asked is `store_unavailable`: a login whose guess cannot be counted is refused, and never tried.
 *
 * @param client of `ioredis` or `redis`; connecting, reconnecting and closing it is yours
 */
export function redisCounters(client: RedisClient, options: RedisCountersOptions = {}): CounterStore {
  checkOptions('redisCounters', options, { prefix: TEXT, timeoutMs: TIMEOUT_MS })
  const { prefix = 'latchkey:counters:', timeoutMs = 1000 } = options
  const ask = async (
    key: string,
    { maxCount, periodSeconds }: CounterLimit,
    nowMs: number,
    record: '0' | '1',
  ) => {
    if (maxCount < 1) return { allowed: false, waitSeconds: periodSeconds }
    const periodMs = periodSeconds * 1000
    const args = [maxCount, periodMs, nowMs].map(String)
    const answer = await answerWithin(runScript(client, HIT, [prefix + key], [...args, record]), timeoutMs)
    const [allowed, inTheWay] = listOf(answer).map(String)
    return {
      allowed: allowed === '1',
      waitSeconds: inTheWay ? (Number(inTheWay) + periodMs - nowMs) / 1000 : 0,
    }
  }
  return Object.freeze({
    hit: (key: string, limit: CounterLimit, nowMs: number) => ask(key, limit, nowMs, '1'),
    peek: (key: string, limit: CounterLimit, nowMs: number) => ask(key, limit, nowMs, '0'),
    async merge(...[batch, nowMs]: Parameters<CounterStore['merge']>) {
      const keys = batch.map(({ key }) => prefix + key)
      const news = batch.map(({ limit, events }) => [
        limit.maxCount,
        limit.periodSeconds * 1000,
        events.map(({ atMs, count }) => [String(atMs), count]),
      ])
      const args = [String(nowMs), JSON.stringify(news)]
      const answer = await answerWithin(runScript(client, MERGE, keys, args), timeoutMs)
      return listOf(answer).map((events) => eventsOf(listOf(events)))
    },
    async undo(key: string, atMs: number) {
      await answerWithin(runScript(client, UNDO, [prefix + key], [String(atMs)]), timeoutMs)
    },
    async clear(key: string) {
      await answerWithin(send(client, 'DEL', prefix + key), timeoutMs)
    },
  })
}

/** Moments and counts in turn, youngest first: the other way round, as events. */
function eventsOf(list: readonly unknown[]): CounterEvents[] {
  const events: CounterEvents[] = []
  for (let index = list.length - 2; index >= 0; index -= 2)
    events.push({ atMs: Number(list[index]), count: Number(list[index + 1]) })
  return events
}

function listOf(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : []
}

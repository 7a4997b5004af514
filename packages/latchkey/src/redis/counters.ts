/** Counters in Redis, for `createLatchkey({ counters })`: what throttles and failed logins are counted in. */
import { checkOptions, rule, TEXT } from '../options.js'
import type { CounterEvents, CounterLimit, CounterStore } from '../stores/store.js'
import { answerWithin, commandsOf, type RedisClient, runScript } from './client.js'
import { HIT, MERGE, UNDO } from './counter-scripts.js'

export interface RedisCountersOptions {
  /**
   * What the keys begin with. Default is `latchkey:counters:`. In a cluster all keys are in the slot of the prefix, because
   * one call counts several of them as one atomic step; a hash tag of your own (`app:{login}:`) is kept.
   */
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
 * @param client of `ioredis` or `redis` (client, cluster, sentinel, pool) or of `@upstash/redis`; connecting, reconnecting
 *   and closing it is yours
 * @throws TypeError for a client that is none of them, and for a wrong option
 */
export function redisCounters(client: RedisClient, options: RedisCountersOptions = {}): CounterStore {
  checkOptions('redisCounters', options, { prefix: TEXT, timeoutMs: TIMEOUT_MS })
  const commands = commandsOf('redisCounters(client): client', client)
  const { prefix: given = 'latchkey:counters:', timeoutMs = 1000 } = options
  const prefix = commands.isCluster ? inOneSlot(given) : given
  const ask = async (
    key: string,
    { maxCount, periodSeconds }: CounterLimit,
    nowMs: number,
    record: '0' | '1',
  ) => {
    if (maxCount < 1) return { allowed: false, waitSeconds: periodSeconds }
    const periodMs = periodSeconds * 1000
    const args = [maxCount, periodMs, nowMs].map(String)
    const answer = await answerWithin(runScript(commands, HIT, [prefix + key], [...args, record]), timeoutMs)
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
      const answer = await answerWithin(runScript(commands, MERGE, keys, args), timeoutMs)
      return listOf(answer).map((events) => eventsOf(listOf(events)))
    },
    async undo(key: string, atMs: number) {
      await answerWithin(runScript(commands, UNDO, [prefix + key], [String(atMs)]), timeoutMs)
    },
    async clear(key: string) {
      await answerWithin(commands.delete(prefix + key), timeoutMs)
    },
  })
}

/** A cluster chooses the slot of a key by the text in its first braces, or by all of it where these are empty. */
function inOneSlot(prefix: string): string {
  return /^[^{]*\{[^}]+\}/.test(prefix) ? prefix : `{${prefix.replaceAll(/[{}]/g, '') || 'latchkey'}}`
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

/** What the throttles of routes count in: this process's memory, which exchanges with the store once per interval. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import type { Rate } from '../rates.js'
import { SlidingWindow } from '../stores/sliding-window.js'
import type { CounterEvents, CounterNews, CounterStore } from '../stores/store.js'

export interface ThrottleCountersOptions {
  readonly counters: CounterStore
  readonly clock: Clock
  /** How long what was allowed here may be unknown to the others. Default is 1; 0: the store decides every request. */
  readonly throttleFlushSeconds?: number | undefined
  /** Told when exchanges begin to fail, once per trouble. */
  readonly onTrouble: (error: unknown) => void
}

/** What this process knows of one key. */
interface Counter {
  readonly key: string
  readonly rate: Rate
  /** What all processes allowed, as far as it is known here. */
  known: SlidingWindow
  /** What was allowed here and the store was not told yet; it is in `known` too. */
  news: SlidingWindow
}

/** Keys in memory; of more, those that were used longest ago are known to the store alone until they are used again. */
const MAX_KEYS = 50_000

/** Keys in one batch: of more there are several, and requests are answered between them. */
const MAX_BATCH = 250

/**
 * Limits of up to so many are counted to the millisecond. Of a higher one, what was allowed in the same hundredth of its
 * period is counted as one moment, the hundredth's end: never more than the limit, and a hundredth of the memory or less.
 */
const MOMENTS = 100

/**
 * Counts in memory, synchronously; nothing is written per request. With P processes on one store, a limit of N and an
 * interval of F (`throttleFlushSeconds` and what the store takes to answer):
 *
 * - no process ever allows more than N within a period, so all of them together never more than P x N; one that was
 *   restarted meanwhile counts as one more;
 * - what a process allows is known to the store F later, and a process that allows something knows F later all that the
 *   store knows. So from F after N were allowed together, each process allows more for at most F from its first request;
 *   then nothing until there is room, what was too much included.
 *
 * When the store is in trouble each process goes on by itself: no request is refused for it, each process still keeps
 * the limit, and the news are kept for the next interval. A batch whose answer was lost may count twice.
 */
export class ThrottleCounters {
  readonly #options: ThrottleCountersOptions
  readonly #flushMs: number
  /** Two generations: what is used moves to the younger, and the older one is dropped as a whole. */
  #young = new Map<string, Counter>()
  #old = new Map<string, Counter>()
  readonly #withNews = new Set<Counter>()
  #timer: NodeJS.Timeout | null = null
  #exchanging: Promise<void> = Promise.resolve()
  #queued: Promise<void> | null = null
  #inTrouble = false

  constructor(options: ThrottleCountersOptions) {
    const { throttleFlushSeconds: seconds = 1 } = options
    if (!(seconds >= 0 && seconds <= 3600))
      throw new TypeError('throttleFlushSeconds: must be from 0 to 3600')
    this.#options = options
    this.#flushMs = seconds * 1000
  }

  /**
   * Counts one request, unless the limit is reached: then it gives the seconds until there is room; else 0. A promise
   * only where the store decides, which rejects with `store_unavailable`.
   */
  hit(key: string, rate: Rate, nowMs: number): number | Promise<number> {
    if (this.#flushMs === 0) return this.#askStore(key, rate, nowMs)
    const counter = this.#counterOf(key, rate)
    const waitSeconds = counter.known.waitSeconds(rate, nowMs)
    if (waitSeconds > 0) return waitSeconds
    const periodMs = rate.periodSeconds * 1000
    const momentMs = rate.maxCount > MOMENTS ? Math.ceil(periodMs / MOMENTS) : 1
    const atMs = Math.ceil(nowMs / momentMs) * momentMs
    for (const window of [counter.known, counter.news]) {
      window.forgetUntil(nowMs - periodMs)
      window.add(atMs, 1)
    }
    this.#note(counter)
    return 0
  }

  /** Exchanges with the store what there is by now. Never rejects: trouble is told to `onTrouble`, and news are kept. */
  flush(): Promise<void> {
    // One that waits for its turn takes along what has come meanwhile.
    this.#queued ??= this.#exchanging
      .catch(() => undefined)
      .then(() => {
        this.#queued = null
        this.#exchanging = this.#exchange()
        return this.#exchanging
      })
    return this.#queued
  }

  async #askStore(key: string, rate: Rate, nowMs: number): Promise<number> {
    const { allowed, waitSeconds } = await this.#options.counters.hit(key, rate, nowMs)
    return allowed ? 0 : Math.max(waitSeconds, Number.MIN_VALUE)
  }

  #counterOf(key: string, rate: Rate): Counter {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const counter = this.#old.get(key) ?? { key, rate, known: new SlidingWindow(), news: new SlidingWindow() }
    if (this.#young.size >= MAX_KEYS / 2) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, counter)
    return counter
  }

  #note(counter: Counter): void {
    this.#arm()
    if (this.#withNews.size < MAX_KEYS) this.#withNews.add(counter)
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      void this.flush()
    }, this.#flushMs).unref()
  }

  async #exchange(): Promise<void> {
    const waiting = [...this.#withNews]
    for (let from = 0; from < waiting.length; from += MAX_BATCH) {
      if (from > 0) await setImmediate()
      const counters = waiting.slice(from, from + MAX_BATCH)
      const batch = counters.map(takeNews)
      for (const counter of counters) this.#withNews.delete(counter)
      try {
        const answers = await this.#options.counters.merge(batch, this.#options.clock.nowMs())
        for (const [index, counter] of counters.entries()) learn(counter, answers[index] ?? [])
        this.#inTrouble = false
      } catch (error) {
        for (const [index, counter] of counters.entries()) {
          for (const { atMs, count } of batch[index]?.events ?? []) counter.news.add(atMs, count)
          this.#withNews.add(counter)
        }
        this.#arm()
        const isNew = !this.#inTrouble
        this.#inTrouble = true
        if (isNew) this.#options.onTrouble(error)
        return
      }
    }
  }
}

function takeNews(counter: Counter): CounterNews {
  const { key, rate, news } = counter
  counter.news = new SlidingWindow()
  return { key, limit: rate, events: news.events() }
}

/** What came while the store answered is news still, and not in its answer. */
function learn(counter: Counter, answer: readonly CounterEvents[]): void {
  counter.known = new SlidingWindow()
  for (const { atMs, count } of [...answer, ...counter.news.events()]) counter.known.add(atMs, count)
}

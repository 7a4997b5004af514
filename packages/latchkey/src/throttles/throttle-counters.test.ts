import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../clock.js'
import { createLatchkey } from '../latchkey.js'
import type { Rate } from '../rates.js'
import { memoryStore } from '../stores/memory.js'
import type { CounterNews, CounterStore } from '../stores/store.js'
import { fakeRequest } from '../testing/index.js'
import { throttleByAddress } from './by-address.js'
import { throttleByUser } from './by-user.js'
import { ThrottleCounters } from './throttle-counters.js'

const TEN_PER_MINUTE: Rate = { maxCount: 10, periodSeconds: 60 }

// Time and timers stand still until a test moves them, together.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.UTC(2030, 0, 1, 12) })
})
afterEach(() => {
  vi.useRealTimers()
})
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000)

/** A store's counters that write down the batches they are given, and may be told to be in trouble. */
function watchedCounters(inner: CounterStore = memoryStore().counters) {
  const batches: Array<readonly CounterNews[]> = []
  const state = { hits: 0, trouble: null as null | 'before' | 'after' }
  const counters: CounterStore = {
    ...inner,
    hit: (...args) => {
      state.hits += 1
      return inner.hit(...args)
    },
    merge: async (batch, nowMs) => {
      batches.push(batch)
      if (state.trouble === 'before') throw new Error('unreachable')
      const answer = await inner.merge(batch, nowMs)
      if (state.trouble === 'after') throw new Error('cut off')
      return answer
    },
  }
  return { counters, batches, state }
}

function processOn(counters: CounterStore, throttleFlushSeconds?: number) {
  const troubles: unknown[] = []
  const throttles = new ThrottleCounters({
    counters,
    clock: systemClock,
    throttleFlushSeconds,
    onTrouble: (error) => troubles.push(error),
  })
  const ask = (key = 'key', rate = TEN_PER_MINUTE) => throttles.hit(key, rate, systemClock.nowMs())
  /** How many of so many requests are allowed. */
  const allowed = (requests: number, key?: string, rate?: Rate) =>
    Array.from({ length: requests }, () => ask(key, rate)).filter((wait) => wait === 0).length
  return { throttles, troubles, ask, allowed }
}

describe('ThrottleCounters in one process', () => {
  it('decides in memory, and tells the store once per interval', async () => {
    const { counters, batches } = watchedCounters()
    const { allowed, ask } = processOn(counters)
    expect(allowed(100)).toBe(10)
    expect(ask('other')).toBe(0)
    expect(ask()).toBe(60)
    await pass(0.999)
    expect(batches).toEqual([])
    await pass(0.001)
    const atMs = Date.now() - 1000
    expect(batches).toEqual([
      [
        { key: 'key', limit: TEN_PER_MINUTE, events: [{ atMs, count: 10 }] },
        { key: 'other', limit: TEN_PER_MINUTE, events: [{ atMs, count: 1 }] },
      ],
    ])
    await pass(30)
    expect(ask()).toBe(29)
    // A refusal is no news.
    expect(batches).toHaveLength(1)
    await pass(29)
    expect(allowed(100)).toBe(10)
    await pass(100)
    expect(batches).toMatchObject([{}, [{ key: 'key', events: [{ count: 10 }] }]])
    expect(batches.flat()).toHaveLength(3)
  })

  it('allows if and only if the last period has room, to the millisecond, for limits of up to 100', async () => {
    const steps = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 50, maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 8 }), async (gaps, maxCount) => {
        const { ask } = processOn(memoryStore().counters)
        const rate = { maxCount, periodSeconds: 2 }
        const allowedMs: number[] = []
        for (const gap of gaps) {
          await pass(gap / 1000)
          const recent = allowedMs.filter((ms) => ms > Date.now() - 2000)
          const inTheWay = recent.at(-maxCount)
          const wait = inTheWay === undefined ? 0 : (inTheWay + 2000 - Date.now()) / 1000
          expect(ask('key', rate)).toBe(wait)
          if (wait === 0) allowedMs.push(Date.now())
        }
      }),
      { numRuns: 30 },
    )
  })

  it('counts higher limits in hundredths of the period: never more, and never later than a hundredth', async () => {
    const steps = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 600, maxLength: 900 })
    await fc.assert(
      fc.asyncProperty(steps, async (gaps) => {
        const { counters, batches } = watchedCounters()
        const { ask } = processOn(counters)
        const rate = { maxCount: 250, periodSeconds: 3 }
        const allowedMs: number[] = []
        for (const gap of gaps) {
          await pass(gap / 1000)
          const within = (ms: number) => allowedMs.filter((at) => at > Date.now() - ms).length
          const isAllowed = ask('key', rate) === 0
          if (isAllowed) expect(within(3000)).toBeLessThan(250)
          else expect(within(3030)).toBeGreaterThanOrEqual(250)
          if (isAllowed) allowedMs.push(Date.now())
        }
        // Three seconds have 101 moments at most, however much happened.
        await pass(1)
        const [known] = await counters.merge([{ key: 'key', limit: rate, events: [] }], Date.now())
        expect(known?.length).toBeLessThanOrEqual(101)
        expect(batches.flat().flatMap(({ events }) => events).length).toBeLessThan(allowedMs.length)
      }),
      { numRuns: 10 },
    )
  })

  it('remembers 25,000 keys at least; older ones are known again one interval after they came back', async () => {
    const { counters } = watchedCounters()
    const { ask, allowed } = processOn(counters)
    for (let key = 0; key < 25_000; key += 1) ask(`key ${key}`, { maxCount: 1, periodSeconds: 3600 })
    for (let key = 0; key < 25_000; key += 1)
      expect(ask(`key ${key}`, { maxCount: 1, periodSeconds: 3600 })).toBe(3600)
    expect(allowed(10, 'first')).toBe(10)
    await vi.waitFor(async () => {
      await pass(1)
      expect(await counters.peek('first', TEN_PER_MINUTE, Date.now())).toMatchObject({ allowed: false })
    })
    for (let key = 0; key < 60_000; key += 1) ask(`later ${key}`)
    expect(ask('first')).toBe(0)
    // More than one batch: between them other work has its turn.
    vi.useRealTimers()
    await vi.waitFor(() => expect(ask('first')).toBeGreaterThan(0))
  })

  it('names the option that cannot work', () => {
    for (const seconds of [-1, Number.NaN, Number.POSITIVE_INFINITY, 3601])
      expect(() => processOn(memoryStore().counters, seconds)).toThrow(/^throttleFlushSeconds: /)
  })
})

describe('ThrottleCounters in several processes on one store', () => {
  it('know of each other within two intervals, and then allow nothing until there is room', async () => {
    const { counters } = watchedCounters()
    const processes = [processOn(counters), processOn(counters), processOn(counters)]
    const everybody = (requests: number) => processes.map(({ allowed }) => allowed(requests))
    expect(everybody(4)).toEqual([4, 4, 4])
    await pass(1)
    // They exchanged one after the other: the last one knows of all requests, the first one only of its own.
    expect(everybody(100)).toEqual([6, 2, 0])
    for (let second = 1; second < 59; second += 1) {
      await pass(1)
      expect(everybody(100)).toEqual([0, 0, 0])
    }
    await pass(1)
    // Each as far as it has learned of the requests of a minute ago that still count.
    expect(everybody(100)).toEqual([4, 2, 10])
  })

  it('allow at worst the limit each', async () => {
    const { counters } = watchedCounters()
    const processes = [processOn(counters), processOn(counters), processOn(counters)]
    for (const { allowed } of processes) expect(allowed(100)).toBe(10)
    for (let second = 1; second < 60; second += 1) {
      await pass(1)
      for (const { allowed } of processes) expect(allowed(1)).toBe(0)
    }
  })

  it('learn at their first exchange what others allowed before', async () => {
    const { counters } = watchedCounters()
    expect(processOn(counters).allowed(8)).toBe(8)
    await pass(1)
    const late = processOn(counters)
    expect(late.ask()).toBe(0)
    await pass(1)
    expect(late.allowed(5)).toBe(1)
    expect(late.ask()).toBeGreaterThan(0)
  })

  for (const [name, maxCount] of [
    ['a limit to the millisecond', 7],
    ['a limit in hundredths', 120],
  ] as const) {
    it(`keep the bound at any time, ${name}: P x N, and two intervals until all is known`, async () => {
      const periodMs = 5000
      const intervalMs = 400
      const request = fc.record({
        process: fc.integer({ min: 0, max: 2 }),
        gapMs: fc.oneof(
          { weight: 10, arbitrary: fc.integer({ min: 0, max: 150 }) },
          { weight: 1, arbitrary: fc.constantFrom(400, 800, 5000, 9000) },
        ),
        times: fc.integer({ min: 1, max: Math.ceil(maxCount / 4) }),
      })
      let worst = 0
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 40, maxLength: 150 }), async (requests) => {
          const { counters } = memoryStore()
          const processes = [0, 1, 2].map(() => processOn(counters, intervalMs / 1000))
          const log: Array<{ readonly process: number; readonly ms: number }> = []
          for (const { process, gapMs, times } of requests) {
            await pass(gapMs / 1000)
            const nowMs = Date.now()
            for (let time = 0; time < times; time += 1) {
              if (processes[process]?.ask('key', { maxCount, periodSeconds: periodMs / 1000 }) !== 0) break
              const recent = log.filter(({ ms }) => ms > nowMs - periodMs)
              const own = recent.filter((event) => event.process === process)
              expect(own.length).toBeLessThan(maxCount)
              expect(recent.length).toBeLessThan(3 * maxCount)
              // It exchanged after this one, which was an interval ago or more.
              const exchangedMs = own.findLast(({ ms }) => ms <= nowMs - intervalMs)?.ms ?? 0
              const known = recent.filter(
                (event) => event.process === process || event.ms <= exchangedMs - intervalMs,
              )
              expect(known.length).toBeLessThan(maxCount)
              log.push({ process, ms: nowMs })
              worst = Math.max(worst, recent.length + 1)
            }
          }
        }),
        { numRuns: 60 },
      )
      // The bound is not there for nothing.
      expect(worst).toBeGreaterThan(maxCount)
    })
  }

  it('are exact with 0: the store decides every request', async () => {
    const { counters, batches, state } = watchedCounters()
    const processes = [processOn(counters, 0), processOn(counters, 0)]
    const waits = await Promise.all(Array.from({ length: 50 }, (_, index) => processes[index % 2]?.ask()))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10)
    expect(waits.filter((wait) => wait === 60)).toHaveLength(40)
    expect([state.hits, batches]).toEqual([50, []])
  })
})

describe('ThrottleCounters and a store in trouble', () => {
  it('go on by themselves, say so once, and tell everything when it is over', async () => {
    const { counters, batches, state } = watchedCounters()
    const { ask, allowed, troubles } = processOn(counters)
    state.trouble = 'before'
    expect(allowed(4)).toBe(4)
    await pass(10)
    expect(batches).toHaveLength(10)
    expect(allowed(100)).toBe(6)
    await pass(10)
    expect(troubles).toEqual([new Error('unreachable')])
    expect(ask()).toBeGreaterThan(0)
    state.trouble = null
    await pass(1)
    expect(await counters.peek('key', TEN_PER_MINUTE, Date.now())).toEqual({
      allowed: false,
      waitSeconds: 39,
    })
    const told = batches.length
    await pass(10)
    expect(batches).toHaveLength(told)
    state.trouble = 'before'
    await pass(60)
    expect(allowed(1)).toBe(1)
    await pass(3)
    expect(troubles).toHaveLength(2)
  })

  it('count twice what the store may have recorded without an answer: stricter, and never more', async () => {
    const { counters, state } = watchedCounters()
    const { allowed } = processOn(counters)
    expect(allowed(3)).toBe(3)
    state.trouble = 'after'
    await pass(1)
    state.trouble = null
    await pass(1)
    expect(allowed(100)).toBe(4)
  })

  it('wait for one answer at a time, and neither lose nor double what comes meanwhile', async () => {
    const { counters, batches } = watchedCounters()
    const answers: Array<() => void> = []
    const slow: CounterStore = {
      ...counters,
      merge: (...args) => new Promise((resolve) => answers.push(() => resolve(counters.merge(...args)))),
    }
    const { ask, allowed, throttles } = processOn(slow)
    expect(allowed(3)).toBe(3)
    for (let second = 0; second < 20; second += 1) {
      await pass(1)
      if (second < 4) expect(ask()).toBe(0)
    }
    expect(answers).toHaveLength(1)
    answers[0]?.()
    await vi.waitFor(() => expect(answers).toHaveLength(2))
    expect(allowed(100)).toBe(3)
    answers[1]?.()
    await vi.waitFor(async () => {
      await pass(1)
      expect(answers).toHaveLength(3)
    })
    answers[2]?.()
    await throttles.flush()
    expect(batches.map(([news]) => news?.events.reduce((sum, { count }) => sum + count, 0))).toEqual([
      3, 4, 3,
    ])
    expect(ask()).toBeGreaterThan(0)
  })

  it('refuse nobody for it, unless the store is to decide every request', async () => {
    const store = memoryStore()
    await store.close()
    const local = processOn(store.counters)
    expect(local.allowed(100)).toBe(10)
    await pass(1)
    expect(local.troubles).toMatchObject([{ code: 'store_unavailable' }])
    await expect(processOn(store.counters, 0).ask()).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('throttles of a route', () => {
  const secret = 'a secret of at least thirty-two characters'

  it('let the guard answer synchronously when the token is hot, and are flushed by close', async () => {
    const { counters, batches, state } = watchedCounters()
    const latchkey = createLatchkey({
      store: memoryStore(),
      secret,
      counters,
      throttles: [throttleByAddress('3/min'), throttleByUser('2/min')],
    })
    const user = await latchkey.users.create({ username: 'vitor' })
    const token = (await latchkey.tokens.issue({ user })).secret.reveal()
    const gate = latchkey.gate()
    const request = fakeRequest({ headers: { authorization: `Token ${token}` } })
    await gate(request)
    expect(gate(request)).toMatchObject({ identity: { user: { username: 'vitor' } }, refusal: null })
    expect(gate(request)).toMatchObject({ refusal: { status: 429 } })
    expect([state.hits, batches]).toEqual([0, []])
    await latchkey.close()
    expect(batches.flat().map(({ key, events }) => [key, events[0]?.count])).toEqual([
      ['address:3/60:127.0.0.1', 3],
      [`user:2/60:user:${user.id}`, 2],
    ])
  })

  it('tell onError of a store in trouble, and answer', async () => {
    const { counters, state } = watchedCounters()
    state.trouble = 'before'
    const errors: unknown[] = []
    const latchkey = createLatchkey({
      store: memoryStore(),
      secret,
      counters,
      throttles: [throttleByAddress('3/min')],
      permissions: [],
      onError: (error, { path }) => errors.push([error, path]),
    })
    expect(latchkey.gate()(fakeRequest())).toMatchObject({ refusal: null })
    await pass(5)
    expect(errors).toEqual([[new Error('unreachable'), 'throttles']])
    await latchkey.close()
    expect(errors).toHaveLength(1)
  })
})

/** The store contract: counters are exact sliding windows. */
import assert from 'node:assert/strict'
import type { CounterEvents, CounterLimit } from '../../stores/store.js'
import { NOW_MS, type Promised, randomNumbers, same } from './support.js'

export function countersContract(promised: Promised): void {
  promised('hit allows maxCount events per period and says how long to wait', async (store) => {
    const limit = { maxCount: 3, periodSeconds: 60 }
    const hit = (offsetMs: number) => store.counters.hit('key', limit, NOW_MS + offsetMs)
    same(await hit(0), { allowed: true, waitSeconds: 0 })
    same(await hit(10_000), { allowed: true, waitSeconds: 0 })
    same(await hit(20_000), { allowed: true, waitSeconds: 40 })
    same(await hit(30_500), { allowed: false, waitSeconds: 29.5 })
    same(await hit(59_999), { allowed: false, waitSeconds: 0.001 })
    same(await hit(60_000), { allowed: true, waitSeconds: 10 })
    same(await hit(60_000), { allowed: false, waitSeconds: 10 })
  })

  promised('a refused hit is not recorded: pressing on does not lengthen the wait', async (store) => {
    const limit = { maxCount: 1, periodSeconds: 10 }
    await store.counters.hit('key', limit, NOW_MS)
    for (let ms = 1; ms < 10_000; ms += 500) {
      same((await store.counters.hit('key', limit, NOW_MS + ms)).allowed, false)
    }
    same((await store.counters.hit('key', limit, NOW_MS + 10_000)).allowed, true)
  })

  promised('peek says what hit would say, and records nothing', async (store) => {
    const limit = { maxCount: 1, periodSeconds: 10 }
    for (let round = 0; round < 3; round += 1) {
      same(await store.counters.peek('key', limit, NOW_MS), { allowed: true, waitSeconds: 0 })
    }
    await store.counters.hit('key', limit, NOW_MS)
    same(await store.counters.peek('key', limit, NOW_MS + 1), { allowed: false, waitSeconds: 9.999 })
    same(await store.counters.peek('key', limit, NOW_MS + 10_000), { allowed: true, waitSeconds: 0 })
  })

  promised('keys are counted apart; clear forgets one', async (store) => {
    const limit = { maxCount: 1, periodSeconds: 10 }
    const keys = ['login:1', 'login:2', 'LOGIN:1', 'schlüssel', '']
    for (const key of keys) same((await store.counters.hit(key, limit, NOW_MS)).allowed, true)
    await store.counters.clear('login:1')
    await store.counters.clear('unknown')
    const room = await Promise.all(keys.map((key) => store.counters.peek(key, limit, NOW_MS)))
    same(
      room.map(({ allowed }) => allowed),
      [true, false, false, false, false],
    )
  })

  promised('undo removes one event that was recorded at that moment, and nothing else', async (store) => {
    const limit = { maxCount: 3, periodSeconds: 60 }
    const hit = async (offsetMs: number) =>
      (await store.counters.hit('key', limit, NOW_MS + offsetMs)).allowed
    await store.counters.undo('key', NOW_MS)
    same([await hit(0), await hit(0), await hit(5.5), await hit(6)], [true, true, true, false])
    await store.counters.undo('key', NOW_MS + 1)
    await store.counters.undo('other', NOW_MS)
    same(await hit(7), false)
    await store.counters.undo('key', NOW_MS)
    same([await hit(8), await hit(9)], [true, false])
    await store.counters.undo('key', NOW_MS + 5.5)
    same([await hit(10), await hit(11)], [true, false])
    await Promise.all([0, 8, 10, 10].map((offsetMs) => store.counters.undo('key', NOW_MS + offsetMs)))
    same([await hit(12), await hit(12), await hit(12), await hit(12)], [true, true, true, false])
    await Promise.all([1, 2, 3].map(() => store.counters.undo('key', NOW_MS + 12)))
    same([await hit(13), await hit(13), await hit(13), await hit(13)], [true, true, true, false])
  })

  promised(
    'a limit of 0 allows nothing, and a lowered limit counts what was allowed before',
    async (store) => {
      const none = { maxCount: 0, periodSeconds: 10 }
      same(await store.counters.hit('none', none, NOW_MS), { allowed: false, waitSeconds: 10 })
      for (let ms = 0; ms < 5000; ms += 1000) {
        await store.counters.hit('key', { maxCount: 5, periodSeconds: 10 }, NOW_MS + ms)
      }
      const lowered = await store.counters.peek('key', { maxCount: 2, periodSeconds: 10 }, NOW_MS + 5000)
      same(lowered, { allowed: false, waitSeconds: 8 })
    },
  )

  promised('of any number of concurrent hits exactly maxCount are allowed', async (store) => {
    const limit = { maxCount: 7, periodSeconds: 60 }
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => store.counters.hit('key', limit, NOW_MS + (index % 3))),
    )
    same(outcomes.filter(({ allowed }) => allowed).length, 7)
  })

  promised(
    'merge records what was allowed already, and answers with all that is known of the keys',
    async (store) => {
      const limit = { maxCount: 10, periodSeconds: 60 }
      const merge = (
        nowMs: number,
        ...batch: ReadonlyArray<readonly [key: string, ...events: CounterEvents[]]>
      ) =>
        store.counters.merge(
          batch.map(([key, ...events]) => ({ key, limit, events })),
          NOW_MS + nowMs,
        )
      same(await merge(0), [])
      same(await merge(0, ['new']), [[]])
      same(await merge(5, ['a', event(1, 2), event(5, 1)], ['b', event(3, 1)]), [
        [event(1, 2), event(5, 1)],
        [event(3, 1)],
      ])
      await store.counters.hit('a', limit, NOW_MS + 5)
      await store.counters.hit('a', limit, NOW_MS + 7)
      // Of one moment, before the others, and one key twice.
      same(await merge(10, ['a', event(5, 3)], ['b'], ['a', event(0, 1)]), [
        [event(0, 1), event(1, 2), event(5, 5), event(7, 1)],
        [event(3, 1)],
        [event(0, 1), event(1, 2), event(5, 5), event(7, 1)],
      ])
      same((await store.counters.peek('a', limit, NOW_MS + 10)).allowed, true)
      await store.counters.hit('a', limit, NOW_MS + 10)
      same(await store.counters.hit('a', limit, NOW_MS + 10), { allowed: false, waitSeconds: 59.99 })
      // What left the period is not answered, and what comes after now is, less than a period ahead.
      same(await merge(60_001, ['a', event(70_000, 1)], ['b', event(120_001, 1)]), [
        [event(5, 5), event(7, 1), event(10, 1), event(70_000, 1)],
        [event(3, 1)],
      ])
      await store.counters.clear('a')
      same(await merge(60_001, ['a']), [[]])
    },
  )

  promised('merge records beyond the limit, and answers with the youngest that reach it', async (store) => {
    const limit = { maxCount: 3, periodSeconds: 10 }
    const merge = (...events: CounterEvents[]) =>
      store.counters.merge([{ key: 'key', limit, events }], NOW_MS + 5000)
    same(await merge(event(0, 4)), [[event(0, 4)]])
    same(await merge(event(1000, 1), event(2000, 1)), [[event(0, 4), event(1000, 1), event(2000, 1)]])
    same(await store.counters.hit('key', limit, NOW_MS + 5000), { allowed: false, waitSeconds: 5 })
    same(await merge(event(3000, 1)), [[event(1000, 1), event(2000, 1), event(3000, 1)]])
    same(await store.counters.peek('key', limit, NOW_MS + 5000), { allowed: false, waitSeconds: 6 })
    same(await store.counters.hit('key', limit, NOW_MS + 10_999), { allowed: false, waitSeconds: 0.001 })
    same(await store.counters.hit('key', limit, NOW_MS + 11_000), { allowed: true, waitSeconds: 1 })
  })

  promised(
    'of any number of concurrent merges none is lost, and each knows those before it',
    async (store) => {
      const limit = { maxCount: 1000, periodSeconds: 60 }
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.counters.merge([{ key: 'key', limit, events: [event(index % 3, 2)] }], NOW_MS),
        ),
      )
      const sums = answers.map(([events = []]) => events.reduce((sum, { count }) => sum + count, 0))
      same(
        sums.sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, index) => 2 * (index + 1)),
      )
    },
  )

  for (const seed of [1, 2, 3]) {
    promised(`generated merges and hits ${seed}: both count what both recorded`, async (store) => {
      const random = randomNumbers(seed + 200)
      const limit = { maxCount: 5 + Math.floor(random() * 20), periodSeconds: 1 + Math.floor(random() * 5) }
      const periodMs = limit.periodSeconds * 1000
      const recorded: number[] = []
      let nowMs = NOW_MS
      for (let step = 0; step < 100; step += 1) {
        nowMs += generatedStepMs(random, limit)
        const youngest = () => recorded.filter((ms) => Math.abs(ms - nowMs) < periodMs).sort((a, b) => b - a)
        if (random() < 0.5) {
          const { allowed, waitSeconds } = await store.counters.hit('key', limit, nowMs)
          const inTheWay = youngest()[limit.maxCount - 1]
          same(allowed, inTheWay === undefined)
          if (allowed) recorded.push(nowMs)
          else same(waitSeconds, ((inTheWay ?? 0) + periodMs - nowMs) / 1000)
        } else {
          const events = Array.from({ length: Math.floor(random() * 3) }, () => ({
            atMs: nowMs - Math.floor(random() * 20) * 10,
            count: 1 + Math.floor(random() * 3),
          }))
          for (const { atMs, count } of events) recorded.push(...Array.from({ length: count }, () => atMs))
          const [answer = []] = await store.counters.merge([{ key: 'key', limit, events }], nowMs)
          const expected = youngest()
          const times = answer
            .flatMap(({ atMs, count }) => Array.from({ length: count }, () => atMs))
            .reverse()
          same(times, expected.slice(0, times.length))
          const room = limit.maxCount - (times.length - (answer[0]?.count ?? 0))
          assert.ok(times.length === expected.length || (times.length >= limit.maxCount && room > 0))
        }
      }
    })
  }

  for (const seed of [1, 2, 3, 4, 5]) {
    promised(`generated times ${seed}: hit allows if and only if the last period has room`, async (store) => {
      const random = randomNumbers(seed)
      const limit = { maxCount: 1 + Math.floor(random() * 6), periodSeconds: 1 + Math.floor(random() * 5) }
      const allowedMs: number[] = []
      let nowMs = NOW_MS
      for (let step = 0; step < 150; step += 1) {
        nowMs += generatedStepMs(random, limit)
        const periodMs = limit.periodSeconds * 1000
        const recent = allowedMs.filter((ms) => ms > nowMs - periodMs)
        const { allowed, waitSeconds } = await store.counters.hit('key', limit, nowMs)
        same(allowed, recent.length < limit.maxCount)
        if (allowed) allowedMs.push(nowMs)
        if (!allowed) {
          const openMs = Math.round(nowMs + waitSeconds * 1000)
          same((await store.counters.peek('key', limit, openMs - 1)).allowed, false)
          same((await store.counters.peek('key', limit, openMs)).allowed, true)
        }
      }
      assertNeverTooMany(allowedMs, limit)
    })

    promised(
      `generated times ${seed}, from clocks that differ: never more than maxCount in any period`,
      async (store) => {
        const random = randomNumbers(seed + 100)
        const limit = { maxCount: 1 + Math.floor(random() * 6), periodSeconds: 1 + Math.floor(random() * 5) }
        const allowedMs: number[] = []
        let nowMs = NOW_MS
        for (let step = 0; step < 150; step += 1) {
          nowMs += generatedStepMs(random, limit)
          const skewedMs = nowMs - Math.floor(random() * 3000)
          if ((await store.counters.hit('key', limit, skewedMs)).allowed) allowedMs.push(skewedMs)
        }
        assert.ok(allowedMs.length > limit.maxCount)
        assertNeverTooMany(allowedMs, limit)
      },
    )
  }
}

const event = (offsetMs: number, count: number): CounterEvents => ({ atMs: NOW_MS + offsetMs, count })

/** Mostly bursts, sometimes exactly a period, sometimes a pause. */
function generatedStepMs(random: () => number, limit: CounterLimit): number {
  const periodMs = limit.periodSeconds * 1000
  const kind = random()
  if (kind < 0.2) return 0
  if (kind < 0.25) return periodMs
  return Math.floor(random() * (kind < 0.9 ? periodMs / limit.maxCount : periodMs * 2))
}

/** A window that holds too many can be moved until it starts at an event, so those are all windows there are. */
function assertNeverTooMany(allowedMs: readonly number[], limit: CounterLimit): void {
  for (const startMs of allowedMs) {
    const endMs = startMs + limit.periodSeconds * 1000
    const within = allowedMs.filter((ms) => ms >= startMs && ms < endMs)
    assert.ok(within.length <= limit.maxCount, `${within.length} events from ${startMs} to ${endMs}`)
  }
}

/** The queue in front of all hashing: order, bounds and refusals. */
import { describe, expect, test } from 'vitest'
import { createHashQueue } from './hash-queue.js'

/** A job that ends when the test says so. */
function gate() {
  let open = () => {}
  let fail = (_error: Error) => {}
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { job: () => opened, open, fail }
}

function settableClock(nowMs: number) {
  let now = nowMs
  return {
    set(ms: number) {
      now = ms
    },
    nowMs: () => now,
  }
}

const turns = () => new Promise<void>((resolve) => setImmediate(resolve))

test('answers and failures of jobs are passed on, and free the slot', async () => {
  const queue = createHashQueue({ concurrency: 1 })
  expect(await queue.run(async () => 42)).toBe(42)
  await expect(queue.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  await expect(
    queue.run(() => {
      throw new Error('broken at once')
    }),
  ).rejects.toThrow('broken at once')
  expect(await queue.run(async () => 43)).toBe(43)
  expect(queue).toMatchObject({ running: 0, waiting: 0 })
})

test('never more jobs at a time than asked, first come first served', async () => {
  const queue = createHashQueue({ concurrency: 2 })
  const started: number[] = []
  let now = 0
  let most = 0
  const jobs = Array.from({ length: 20 }, (_, index) =>
    queue.run(async () => {
      started.push(index)
      now += 1
      most = Math.max(most, now)
      await turns()
      now -= 1
      return index
    }),
  )
  expect(queue).toMatchObject({ running: 2, waiting: 18 })
  expect(await Promise.all(jobs)).toEqual(Array.from({ length: 20 }, (_, index) => index))
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index))
  expect(most).toBe(2)
})

test('a newcomer cannot take the slot of somebody who waited', async () => {
  const queue = createHashQueue({ concurrency: 1 })
  const order: string[] = []
  const first = gate()
  const running = queue.run(first.job)
  const waited = queue.run(async () => void order.push('waited'))
  // Comes after the slot was passed on and before the waiter could start.
  const newcomer = first.job().then(() => {
    expect(queue).toMatchObject({ running: 1, waiting: 0 })
    return queue.run(async () => void order.push('newcomer'))
  })
  first.open()
  await Promise.all([running, waited, newcomer])
  expect(order).toEqual(['waited', 'newcomer'])
})

test('one more than may wait is refused at once, and its job is not started', async () => {
  const queue = createHashQueue({ concurrency: 1, maxWaiting: 2, maxWaitSeconds: 7 })
  const first = gate()
  const accepted = [queue.run(first.job), queue.run(async () => {}), queue.run(async () => {})]
  let started = false
  await expect(
    queue.run(async () => {
      started = true
    }),
  ).rejects.toMatchObject({ code: 'busy', status: 503, retryAfterSeconds: 7 })
  expect(queue).toMatchObject({ running: 1, waiting: 2 })
  first.open()
  await Promise.all(accepted)
  expect(started).toBe(false)
  expect(await queue.run(async () => 'room again')).toBe('room again')
})

test('nobody waits when none may', async () => {
  const queue = createHashQueue({ concurrency: 1, maxWaiting: 0 })
  const first = gate()
  const running = queue.run(first.job)
  await expect(queue.run(async () => {})).rejects.toMatchObject({ code: 'busy' })
  first.open()
  await running
})

test('those ahead hold a slot already, and count among those who may wait', async () => {
  const queue = createHashQueue({ concurrency: 1, maxWaiting: 2 }, 1)
  const hold = gate()
  const accepted = [queue.run(hold.job), queue.run(hold.job), queue.run(hold.job)]
  expect(queue).toMatchObject({ running: 2, waiting: 1, turns: { free: 1 } })
  await expect(queue.run(async () => {})).rejects.toMatchObject({ code: 'busy' })
  hold.open()
  await Promise.all(accepted)
  expect(queue).toMatchObject({ running: 0, waiting: 0 })
})

test('nobody is ahead when none may wait', async () => {
  const queue = createHashQueue({ concurrency: 1, maxWaiting: 0 }, 1)
  const first = gate()
  const running = queue.run(first.job)
  await expect(queue.run(async () => {})).rejects.toMatchObject({ code: 'busy' })
  first.open()
  await running
})

describe('waiting too long', () => {
  test('is refused when the turn comes; those within their time are served', async () => {
    const clock = settableClock(0)
    const queue = createHashQueue({ concurrency: 1, maxWaitSeconds: 10, clock })
    const first = gate()
    const running = queue.run(first.job)
    let started = false
    const late = queue.run(async () => {
      started = true
    })
    const refused = expect(late).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 10 })
    clock.set(1)
    const inTime = queue.run(async () => 'served')
    clock.set(10_000)
    first.open()
    await running
    await refused
    expect(await inTime).toBe('served')
    expect(started).toBe(false)
  })

  test('is refused when somebody else comes, so that the dead do not fill the queue', async () => {
    const clock = settableClock(0)
    const queue = createHashQueue({ concurrency: 1, maxWaiting: 1, maxWaitSeconds: 10, clock })
    const first = gate()
    const running = queue.run(first.job)
    const refused = expect(queue.run(async () => {})).rejects.toMatchObject({ code: 'busy' })
    clock.set(10_000)
    const next = queue.run(async () => 'served')
    await refused
    expect(queue.waiting).toBe(1)
    first.open()
    await running
    expect(await next).toBe('served')
  })

  test('is refused although every job hangs and nobody comes', async () => {
    const queue = createHashQueue({ concurrency: 1, maxWaitSeconds: 0.02 })
    const hangs = gate()
    const running = queue.run(hangs.job)
    const waiters = [queue.run(async () => {}), queue.run(async () => {})]
    const answers = await Promise.allSettled(waiters)
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(queue).toMatchObject({ running: 1, waiting: 0 })
    hangs.open()
    await running
    expect(queue.running).toBe(0)
  })
})

test.each([
  [{ concurrency: 0 }, 'concurrency'],
  [{ concurrency: 1.5 }, 'concurrency'],
  [{ maxWaiting: -1 }, 'maxWaiting'],
  [{ maxWaitSeconds: 0 }, 'maxWaitSeconds'],
  [{ maxWaitSeconds: Number.NaN }, 'maxWaitSeconds'],
  [{ maxWaitSeconds: 3601 }, 'maxWaitSeconds'],
])('%j is refused, naming %s', (options, name) => {
  expect(() => createHashQueue(options)).toThrow(new RegExp(`^${name} must be`))
})

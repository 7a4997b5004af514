/** The threads: order, bound, what happens when one ends. Real threads, with jobs that show what they do in shared memory. */
import { Worker } from 'node:worker_threads'
import { beforeEach, describe, expect, test } from 'vitest'
import { createHashThreads, type HashJob, type HashThreads } from './hash-threads.js'
import { createHashTurns } from './hash-turns.js'

/** Places in the shared memory. */
const BEGUN = 0
const MOST = 2
const OPEN = 3

/** Answers with the job's number, when `OPEN` is at least that number. */
const THREAD = `
const { parentPort, workerData: shared } = require('node:worker_threads')
const [BEGUN, NOW, MOST, OPEN] = [0, 1, 2, 3]
parentPort.on('message', ({ number, kind }) => {
  const now = Atomics.add(shared, NOW, 1) + 1
  for (let most = Atomics.load(shared, MOST); most < now; most = Atomics.load(shared, MOST))
    Atomics.compareExchange(shared, MOST, most, now)
  Atomics.add(shared, BEGUN, 1)
  Atomics.notify(shared, BEGUN)
  for (let open = 0; (open = Atomics.load(shared, OPEN)) < number; ) Atomics.wait(shared, OPEN, open)
  Atomics.sub(shared, NOW, 1)
  if (kind === 'end') process.exit(1)
  if (kind === 'throw') throw new Error('thrown in the thread')
  parentPort.postMessage(kind === 'fail' ? { error: 'the reason' } : { digest: Uint8Array.of(number) })
})`

let shared: Int32Array<SharedArrayBuffer>
let started: number
let threads: HashThreads

beforeEach(() => {
  shared = new Int32Array(new SharedArrayBuffer(16))
  started = 0
  threads = createHashThreads(() => {
    started += 1
    return new Worker(THREAD, { eval: true, workerData: shared })
  })
})

type Kind = 'answer' | 'fail' | 'end' | 'throw'

const job = (number: number, kind: Kind = 'answer', work = 1): HashJob => ({
  message: { number, kind },
  moved: [],
  work,
})

/** Lets all jobs up to this number end. */
function open(number: number) {
  Atomics.store(shared, OPEN, number)
  Atomics.notify(shared, OPEN)
}

/** Blocks this thread, and so its event loop, until so many jobs have begun. */
function blockUntilBegun(count: number) {
  for (let begun = Atomics.load(shared, BEGUN); begun < count; begun = Atomics.load(shared, BEGUN)) {
    if (Atomics.wait(shared, BEGUN, begun, 10_000) === 'timed-out') throw new Error(`${begun} have begun`)
  }
}

const begun = async (count: number) => {
  while (Atomics.load(shared, BEGUN) < count) await new Promise((resolve) => setImmediate(resolve))
}

test('a thread goes on with its next job although the event loop is blocked', async () => {
  const turns = createHashTurns(1)
  const first = threads.run(job(1), turns)
  await begun(1)
  const second = threads.run(job(2), turns)
  open(2)
  blockUntilBegun(2)
  expect([...(await first), ...(await second)]).toEqual([1, 2])
  expect(turns.free).toBe(1)
})

test.each([1, 2])('%i turns: no more compute at a time, in no more threads', async (count) => {
  open(100)
  const turns = createHashTurns(count)
  const numbers = Array.from({ length: 60 }, (_, index) => index + 1)
  const order: number[] = []
  const answers = numbers.map(async (number) => {
    const [answer] = await threads.run(job(number), turns)
    order.push(number)
    return answer
  })
  expect(await Promise.all(answers)).toEqual(numbers)
  expect(Atomics.load(shared, MOST)).toBeLessThanOrEqual(count)
  expect(started).toBeLessThanOrEqual(count)
  expect(turns).toMatchObject({ free: count, waiting: 0 })
  // With two threads either may be slower.
  if (count === 1) expect(order).toEqual(numbers)
})

test('threads are shared, turns are not: another queue gets a thread of its own', async () => {
  const [ours, theirs] = [createHashTurns(1), createHashTurns(1)]
  const first = threads.run(job(9), ours)
  await begun(1)
  open(1)
  expect([...(await threads.run(job(1), theirs))]).toEqual([1])
  open(9)
  await first
  expect(started).toBe(2)
  await threads.run(job(2), theirs)
  expect(started).toBe(2)
})

test('who waits for a turn comes before those who come later', async () => {
  const turns = createHashTurns(1)
  const order: string[] = []
  const first = threads.run(job(1), turns)
  await begun(1)
  const outside = turns.take().then(() => {
    order.push('outside')
    turns.give()
  })
  const second = threads.run(job(2), turns).then(() => order.push('second'))
  open(2)
  await Promise.all([first, outside, second])
  expect(order).toEqual(['outside', 'second'])
})

test('a job lies ready behind the one with the least work', async () => {
  const turns = createHashTurns(2)
  const long = threads.run(job(9, 'answer', 50), turns)
  const short = threads.run(job(1, 'answer', 5), turns)
  await begun(2)
  const next = threads.run(job(1), turns)
  open(1)
  expect([...(await short), ...(await next)]).toEqual([1, 1])
  open(9)
  await long
})

test('a job that cannot be computed is an error, and the thread goes on', async () => {
  open(2)
  const turns = createHashTurns(1)
  await expect(threads.run(job(1, 'fail'), turns)).rejects.toThrow('the reason')
  expect([...(await threads.run(job(2), turns))]).toEqual([2])
  expect(started).toBe(1)
})

describe('a thread that ends', () => {
  test.each(['end', 'throw'] as const)('(%s) fails its jobs only, and is replaced', async (kind) => {
    const turns = createHashTurns(1)
    const lost = threads.run(job(1, kind), turns)
    await begun(1)
    const behind = threads.run(job(2), turns)
    // Neither at the thread nor lost with it.
    const later = threads.run(job(3), turns)
    const refused = [lost, behind].map((answer) =>
      expect(answer).rejects.toMatchObject({ code: 'internal_error', detail: 'a hashing thread ended' }),
    )
    open(3)
    await Promise.all(refused)
    expect([...(await later)]).toEqual([3])
    expect(started).toBe(2)
    expect(turns).toMatchObject({ free: 1, waiting: 0 })
  })

  test('while it had nothing to do is not asked again', async () => {
    open(1)
    const workers: Worker[] = []
    const pool = createHashThreads(() => {
      const worker = new Worker(THREAD, { eval: true, workerData: shared })
      workers.push(worker)
      return worker
    })
    const turns = createHashTurns(1)
    await pool.run(job(1), turns)
    await workers[0]?.terminate()
    expect([...(await pool.run(job(1), turns))]).toEqual([1])
    expect(workers).toHaveLength(2)
  })
})

test('where none can be started every job says so, and no turn is lost', async () => {
  const pool = createHashThreads(() => {
    throw new Error('not here')
  })
  const turns = createHashTurns(1)
  for (let round = 0; round < 2; round += 1) {
    await expect(pool.run(job(1), turns)).rejects.toMatchObject({ code: 'internal_error' })
  }
  expect(turns.free).toBe(1)
})

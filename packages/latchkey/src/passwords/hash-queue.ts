/** Bounded concurrency for all password hashing: a rush of logins waits in line or is told to come back, and memory stays bounded. */
import { setImmediate } from 'node:timers/promises'
import { type Clock, systemClock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import { createHashTurns, defaultConcurrency, type HashTurns } from './hash-turns.js'
import { integerOption } from './options.js'

export interface HashQueueOptions {
  /**
   * Hashes at the same time. Default: one less than the processors, at least 1; and one less than libuv's threads
   * (`UV_THREADPOOL_SIZE`, 4), which compute every format but argon2, and also look up host names and read files.
   */
  readonly concurrency?: number
  /** Jobs that may wait, those that are ahead included; default 1000. One more is refused at once. */
  readonly maxWaiting?: number
  /** How long a job may wait for its turn; default 10. */
  readonly maxWaitSeconds?: number
  readonly clock?: Clock
}

export interface HashQueue {
  /** Jobs that hold a slot now: those that compute, and those that are ahead. */
  readonly running: number
  /** Jobs that wait for one now. */
  readonly waiting: number
  /** As many as `concurrency`. With jobs ahead, a job computes in one of these, by `hasherInTurns`. */
  readonly turns: HashTurns
  /**
   * Runs the job when a slot is free, first come first served, and settles as it does.
   * @throws LatchkeyError `busy`, with `retryAfterSeconds`, when too many wait or the wait took too long; the job has
   * not been started then.
   */
  run<T>(job: () => Promise<T>): Promise<T>
}

interface Waiter {
  readonly deadlineMs: number
  readonly start: () => void
  readonly refuse: (error: LatchkeyError) => void
}

/**
 * A queue of its own: everything that hashes in one process should share one. So many of those who wait are let `ahead`:
 * they are started, to be ready when a turn at computing is free.
 * @throws TypeError naming a bad option.
 */
export function createHashQueue(options: HashQueueOptions = {}, ahead = 0): HashQueue {
  const concurrency = integerOption('concurrency', options.concurrency ?? defaultConcurrency(), 1, 1024)
  const maxWaiting = integerOption('maxWaiting', options.maxWaiting ?? 1000, 0, 1_000_000)
  const { maxWaitSeconds = 10, clock = systemClock } = options
  if (!(maxWaitSeconds > 0 && maxWaitSeconds <= 3600)) {
    throw new TypeError(`maxWaitSeconds must be above 0 and at most 3600, got ${String(maxWaitSeconds)}`)
  }
  const slots = concurrency + Math.min(ahead, maxWaiting)
  const waiters: Waiter[] = []
  let running = 0
  let timer: NodeJS.Timeout | undefined

  // After maxWaitSeconds everybody who waits now has been served or refused.
  const busy = (detail: string) =>
    new LatchkeyError('busy', { retryAfterSeconds: Math.ceil(maxWaitSeconds), detail })

  /**
   * Refuses those whose time is over. Called whenever the queue moves, and by a timer for the case that nothing moves
   * because every job hangs.
   */
  function refuseOverdue(): void {
    clearTimeout(timer)
    const nowMs = clock.nowMs()
    while (waiters[0] !== undefined && waiters[0].deadlineMs <= nowMs) {
      waiters.shift()?.refuse(busy('waited too long for a hashing slot'))
    }
    if (waiters[0] === undefined) return
    timer = setTimeout(refuseOverdue, Math.max(1, Math.ceil(waiters[0].deadlineMs - nowMs)))
    timer.unref()
  }

  const slot = () =>
    new Promise<void>((start, refuse) => {
      waiters.push({ deadlineMs: clock.nowMs() + maxWaitSeconds * 1000, start, refuse })
      refuseOverdue()
    })

  /** The slot passes to the next waiter at once, so that no newcomer can take it. True: it did. */
  function release(): boolean {
    running -= 1
    refuseOverdue()
    const next = waiters.shift()
    if (next === undefined) return false
    running += 1
    next.start()
    return true
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiters.length
    },
    turns: createHashTurns(concurrency),
    async run<T>(job: () => Promise<T>): Promise<T> {
      refuseOverdue()
      if (running < slots) running += 1
      else if (waiters.length >= concurrency + maxWaiting - slots)
        throw busy('too many wait for a hashing slot')
      else await slot()
      try {
        return await job()
      } finally {
        // The next hash is under way before whoever asked for this one goes on with database work: no slot stands empty.
        if (release()) await setImmediate()
      }
    },
  }
}

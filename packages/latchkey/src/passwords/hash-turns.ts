/** Turns at computing: one queue's bound on the hashes that are computed at the same time, whatever computes them. */
import { availableParallelism } from 'node:os'

export interface HashTurns {
  /** Turns that nobody has. */
  readonly free: number
  /** How many wait for one. */
  readonly waiting: number
  /** Resolves when a turn is had, first come first served. Give it back with `give`. */
  take(): Promise<void>
  give(): void
}

/** That many turns. */
export function createHashTurns(count: number): HashTurns {
  const waiters: Array<() => void> = []
  let free = count
  return {
    get free() {
      return free
    },
    get waiting() {
      return waiters.length
    },
    take() {
      if (free === 0) return new Promise((resolve) => waiters.push(resolve))
      free -= 1
      return Promise.resolve()
    },
    give() {
      // It passes on directly, so that no newcomer can take it from somebody who waited.
      const next = waiters.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}

/** Does the work while it has a turn; at once where there are none to take. */
export async function inTurn<T>(turns: HashTurns | undefined, work: () => Promise<T>): Promise<T> {
  await turns?.take()
  try {
    return await work()
  } finally {
    turns?.give()
  }
}

/** What `HashQueueOptions.concurrency` promises. */
export function defaultConcurrency(): number {
  const libuvThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4
  return Math.max(1, Math.min(availableParallelism(), libuvThreads) - 1)
}

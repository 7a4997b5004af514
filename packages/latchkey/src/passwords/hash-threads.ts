/** A process's threads for hashing: started when needed, each with its next job at hand, so that none waits for the event loop. */
import type { Worker } from 'node:worker_threads'
import { LatchkeyError } from '../errors.js'
import type { HashTurns } from './hash-turns.js'

export interface HashJob {
  /** What is posted to the thread. */
  readonly message: object
  /** Buffers of the message that move to the thread, and are no longer in this one. */
  readonly moved: readonly ArrayBuffer[]
  /** How long it takes, in any unit: compared only. */
  readonly work: number
}

/** What a thread posts for each job, in the order in which they came. */
export type HashAnswer = { readonly digest: Uint8Array } | { readonly error: string }

export interface HashThreads {
  /**
   * Computes when a turn is free. A thread that works in one of these turns takes one more job, which it computes in
   * the same turn right after; so turns bound what is computed at the same time, and no thread stands idle between two.
   * @throws LatchkeyError `internal_error` when the thread ended before it answered; the next job starts another.
   */
  run(job: HashJob, turns: HashTurns): Promise<Uint8Array>
}

interface Thread {
  readonly worker: Worker
  /** The one it computes and the one behind it. */
  readonly jobs: PendingJob[]
  cause?: unknown
}

interface PendingJob {
  readonly work: number
  readonly resolve: (digest: Uint8Array) => void
  readonly reject: (error: Error) => void
}

/** One being computed, and one that lies ready. */
const JOBS_AT_A_THREAD = 2

/** Threads as `startWorker` makes them: they answer each message with one `HashAnswer`. None is started before the first job. */
export function createHashThreads(startWorker: () => Worker): HashThreads {
  const idle = new Set<Thread>()
  /** With the turns that each took one of; those whose present job began first come first. */
  const busy = new Map<Thread, HashTurns>()

  function start(): Thread {
    const thread: Thread = { worker: startWorker(), jobs: [] }
    // A process may end although it has threads; not while one computes.
    thread.worker.unref()
    thread.worker.on('message', (answer: HashAnswer) => settle(thread, answer))
    thread.worker.on('error', (cause) => {
      thread.cause = cause
    })
    thread.worker.on('exit', () => bury(thread))
    return thread
  }

  function post(thread: Thread, { message, moved, work }: HashJob): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      thread.worker.postMessage(message, moved)
      thread.jobs.push({ work, resolve, reject })
    })
  }

  function settle(thread: Thread, answer: HashAnswer): void {
    const job = thread.jobs.shift()
    const turns = busy.get(thread)
    busy.delete(thread)
    if (turns !== undefined && thread.jobs.length > 0) busy.set(thread, turns)
    else {
      idle.add(thread)
      thread.worker.unref()
      turns?.give()
    }
    if ('digest' in answer) job?.resolve(answer.digest)
    else job?.reject(new Error(answer.error))
  }

  function bury(thread: Thread): void {
    const turns = busy.get(thread)
    busy.delete(thread)
    idle.delete(thread)
    turns?.give()
    const error = new LatchkeyError('internal_error', {
      detail: 'a hashing thread ended',
      cause: thread.cause,
    })
    for (const { reject } of thread.jobs.splice(0)) reject(error)
  }

  /** Of the threads with room that work in these turns, the one that is done first, if jobs of equal work take equal time. */
  function threadWithRoom(turns: HashTurns): Thread | undefined {
    let soonest: { thread: Thread; work: number } | undefined
    for (const [thread, holder] of busy) {
      const [{ work } = { work: 0 }] = thread.jobs
      if (holder !== turns || thread.jobs.length >= JOBS_AT_A_THREAD) continue
      if (soonest === undefined || work < soonest.work) soonest = { thread, work }
    }
    return soonest?.thread
  }

  /** Has had its turn taken for it, and gives it back when no thread can be started. */
  function claim(turns: HashTurns): Thread {
    try {
      const [thread = start()] = idle
      idle.delete(thread)
      busy.set(thread, turns)
      thread.worker.ref()
      return thread
    } catch (cause) {
      turns.give()
      throw new LatchkeyError('internal_error', { detail: 'no hashing thread could be started', cause })
    }
  }

  return {
    async run(job, turns) {
      // Whoever waits for a turn comes first: behind threads that never run dry they would wait for ever.
      const shared = turns.free === 0 && turns.waiting === 0 ? threadWithRoom(turns) : undefined
      if (shared !== undefined) return post(shared, job)
      await turns.take()
      return post(claim(turns), job)
    },
  }
}

/** One worker as the primary sees it: a promise of its start, a promise of its end. */
import cluster from 'node:cluster'
import { watchHandOver } from './hand-over.js'
import { isReady, type Order, type Ready, WORKER_MARK } from './messages.js'

/** How a worker ended; both null: it could not even be started. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
}

export interface Member {
  readonly name: string
  /** How long it has been ready; 0: it never was. */
  servedMs(): number
  /** What it gives running requests, once it is ready. */
  readonly shutdownSeconds: number
  /** Resolves when it listens; null: it ended before. */
  readonly ready: Promise<Ready | null>
  readonly ended: Promise<Ending>
  tell(order: Order['latchkey']): void
  kill(): void
}

/** Starts a worker: the same command line as this process, in a process of its own. */
export function startMember(): Member {
  const worker = cluster.fork({ [WORKER_MARK]: '1' })
  const handOver = watchHandOver(worker)
  const ended = new Promise<Ending>((resolve) => {
    worker.once('exit', (code, signal) => resolve({ code: signal ? null : code, signal: signal || null }))
    // The channel to a worker that dies breaks a moment before 'exit' says so; one that never started has no 'exit'.
    worker.on('error', () => {
      if (worker.process.pid === undefined) resolve({ code: null, signal: null })
    })
  })
  let report: Ready | undefined
  let readyMs = Number.POSITIVE_INFINITY
  const listening = new Promise<Ready>((resolve) => {
    worker.on('message', (message: unknown) => {
      if (!isReady(message)) return
      report = message
      readyMs = performance.now()
      resolve(message)
    })
  })
  return {
    name: `Worker ${worker.process.pid ?? worker.id}`,
    servedMs: () => Math.max(0, performance.now() - readyMs),
    get shutdownSeconds() {
      return report?.shutdownSeconds ?? 0
    },
    ready: Promise.race([listening, ended.then(() => null)]),
    ended,
    tell(latchkey) {
      const order: Order = { latchkey }
      if (latchkey === 'stop') handOver.end()
      // One that has not started does not listen to orders yet, and would miss it.
      if (report === undefined) worker.process.kill('SIGTERM')
      else if (worker.isConnected()) worker.send(order, () => undefined)
    },
    kill: () => worker.process.kill('SIGKILL'),
  }
}

/** `SIGKILL`, `exit code 70`. */
export function endingText({ code, signal }: Ending): string {
  return signal ?? (code === null ? 'it could not be started' : `exit code ${code}`)
}

/** The worker's side of `serve --workers`: says that it listens, then drains or stops when the primary says so or is gone. */
import cluster from 'node:cluster'
import type { RunningServer } from '../../http/serve.js'
import type { Io } from '../output.js'
import { stopSignal } from '../stop-signal.js'
import { isOrder, type Ready, WORKER_MARK } from './messages.js'

export function isWorker(io: Io): boolean {
  return cluster.isWorker && io.env[WORKER_MARK] !== undefined
}

/** Does a worker's work, and leaves the primary whatever happens: until then the process would not end. */
export async function asWorker(work: () => Promise<void>): Promise<void> {
  // A terminal that closes tells every process of its group; what comes of it is for the primary to say.
  process.on('SIGHUP', () => undefined)
  try {
    await work()
  } finally {
    if (process.connected) cluster.worker?.disconnect()
  }
}

/**
 * Reports to the primary and serves until it is told to end: by an order, by the primary's death, by a signal. Resolves
 * when everything that was accepted has been answered.
 */
export function obey(server: RunningServer, report: Omit<Ready, 'latchkey'>): Promise<void> {
  const { worker } = cluster
  if (worker === undefined) throw new TypeError('obey() is for workers')
  // Node ends a worker at once when its primary is gone, unless it left by itself: this one will, after its last answer.
  worker.exitedAfterDisconnect = true
  return new Promise((resolve, reject) => {
    const end = { drain: () => server.drain(), stop: () => server.close() }
    const obeyed = (kind: keyof typeof end) => end[kind]().then(resolve, reject)
    process.on('message', (message) => {
      if (isOrder(message)) void obeyed(message.latchkey)
    })
    process.once('disconnect', () => obeyed('stop'))
    void stopSignal().then(() => obeyed('stop'))
    const ready: Ready = { latchkey: 'ready', ...report }
    // Where it cannot be sent, 'disconnect' follows.
    worker.send(ready, () => undefined)
  })
}

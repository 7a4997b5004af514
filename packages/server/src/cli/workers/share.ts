/** What of the machine one worker gets. `serve` asks. */
import { availableParallelism } from 'node:os'
import type { Settings } from '../../settings/settings.js'

/** How many processes a `workers` setting means. */
export function workerCount(workers: Settings['workers']): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** What one process hashes at a time by default, divided among workers: all of them together keep one processor free. */
export function hashShare(
  workers: number,
  processors = availableParallelism(),
  threads = Number(process.env.UV_THREADPOOL_SIZE) || 4,
): number {
  return Math.max(1, Math.min(Math.floor((processors - 1) / workers), threads - 1))
}

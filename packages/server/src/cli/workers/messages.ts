/** What the primary of `serve --workers` and its workers say to each other. Both sides read this file. */

/** In a worker's environment: the primary that started it is `serve`, not another program's cluster. */
export const WORKER_MARK = 'LATCHKEY_STARTED_BY_SERVE'

/** From a worker, once: it listens. The numbers are of the settings as it read them. */
export interface Ready {
  readonly latchkey: 'ready'
  readonly url: string
  readonly workers: number
  readonly shutdownSeconds: number
}

/** From the primary. `drain`: others serve on. `stop`: all end. */
export interface Order {
  readonly latchkey: 'drain' | 'stop'
}

export function isReady(message: unknown): message is Ready {
  return kindOf(message) === 'ready'
}

export function isOrder(message: unknown): message is Order {
  return kindOf(message) === 'drain' || kindOf(message) === 'stop'
}

/** Code of the project may use the channel as well: what is not ours is left alone. */
function kindOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'latchkey' in message
    ? message.latchkey
    : undefined
}

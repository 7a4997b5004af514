/** The change feed on SQLite: own changes by name, those of other processes as "all". */
import type { Change, ChangeFeed } from 'latchkey'
import type { Connection } from './connection.js'

/** How long one look counts. */
const LOOK_LASTS_MS = 0.02

/**
 * Why catching up is sound. `PRAGMA data_version` opens a read transaction, so it sees every commit that another
 * connection has finished, in any process; own commits do not move it, and those are published by name.
 *
 * A look is skipped only within 20 microseconds of the one before. Whoever was told of another process's commit and then
 * sends a request cannot have it verified that soon: the answer must leave that process, reach the caller, and the
 * request must come back through two sockets and a parser. So the next request is verified after a look that came after
 * the commit. In a busy server one look serves a few verifications; in a tight loop it serves dozens.
 */
export class Changes implements ChangeFeed {
  readonly #connection: Connection
  readonly #listeners = new Set<(change: Change) => void>()
  #version: unknown
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(connection: Connection) {
    this.#connection = connection
    this.#version = this.#look()
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Called with a change that is durable. */
  publish(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change)
  }

  catchUp(): void {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs < LOOK_LASTS_MS) return
    const version = this.#look()
    this.#lookedAtMs = nowMs
    if (version === this.#version) return
    this.#version = version
    this.publish({ kind: 'all' })
  }

  #look(): unknown {
    return this.#connection.attempt(() => this.#connection.prepared('PRAGMA data_version').pluck().get())
  }
}

/** The change feed on SQLite: own changes by name, those of other processes as "all". */
import type { Change, ChangeFeed } from 'latchkey'
import type { Connection } from './connection.js'

/** How long one look counts, within one turn of the event loop. */
const LOOK_LASTS_MS = 1

/**
 * Why catching up is sound. `PRAGMA data_version` opens a read transaction, so it sees every commit that another
 * connection has finished, in any process; own commits do not move it, and those are published by name.
 *
 * A look is skipped only when one was made in the same turn of the event loop and less than a millisecond ago.
 * A caller who was told of another process's commit and then sends a request is read by Node in a later turn: what a
 * turn reads had arrived when the turn asked the kernel for it. So that request is processed after a look that came
 * after the commit. Where a turn can reach beyond that (a look made in a timer before the same turn's reads; more
 * bytes on a connection that was already about to be read), the millisecond is the bound.
 */
export class Changes implements ChangeFeed {
  readonly #connection: Connection
  readonly #listeners = new Set<(change: Change) => void>()
  #version: unknown
  #lookedThisTurn = false
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
    if (this.#lookedThisTurn && nowMs - this.#lookedAtMs < LOOK_LASTS_MS) return
    const version = this.#look()
    this.#lookedAtMs = nowMs
    if (!this.#lookedThisTurn) {
      this.#lookedThisTurn = true
      setImmediate(() => {
        this.#lookedThisTurn = false
      }).unref()
    }
    if (version === this.#version) return
    this.#version = version
    this.publish({ kind: 'all' })
  }

  #look(): unknown {
    return this.#connection.attempt(() => this.#connection.prepared('PRAGMA data_version').pluck().get())
  }
}

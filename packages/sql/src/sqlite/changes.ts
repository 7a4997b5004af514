/** The change feed on SQLite: own changes as they are made, those of other processes out of the `changes` table. */
// Imported, for the global of that name is a getter.
import { performance } from 'node:perf_hooks'
import { isDeepStrictEqual, types } from 'node:util'
import type { Selectable } from 'kysely'
import type { Change, ChangeFeed } from 'latchkey'
import { bytesOf } from '../rows.js'
import type { ChangesTable } from '../schema.js'
import type { Connection } from './connection.js'

type ChangeRow = Selectable<ChangesTable>

const NEWEST = 'SELECT id, kind, key FROM changes ORDER BY id DESC LIMIT 1'
const MISSED = 'SELECT id, kind, key FROM changes WHERE id >= ? ORDER BY id'

/** Stands for the newest row of an empty table. */
const NOTHING_YET: ChangeRow = { id: 0, kind: 'all', key: null }

/** How long one look counts at most, should the turn last longer. */
const LOOK_LASTS_MS = 2

/**
 * Why catching up is sound. `PRAGMA data_version` opens a read transaction, so it sees every commit that another
 * connection has finished, in any process; own commits do not move it, and those are published by name.
 *
 * A look counts until the turn of the event loop ends. All requests of a turn had arrived when it began to hand them
 * out (one `epoll_wait`), before the look; whoever sends a request because of another process's commit sends it after
 * the answer to that, so it is of a later turn. What breaks this (a request on a connection where another one is waiting,
 * a look from a timer) is bounded by two milliseconds. The look costs several system calls, which cost more than all the
 * rest of a hot verification: in a busy server one serves the whole batch, and a lone request has one of its own.
 */
export class Changes implements ChangeFeed {
  readonly #connection: Connection
  readonly #listeners = new Set<(change: Change) => void>()
  #version: unknown
  /** The newest row of the table that has been told of. */
  #last: ChangeRow | null
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #turnIsOpen = false
  readonly #endTurn = () => {
    this.#turnIsOpen = false
  }

  constructor(connection: Connection) {
    this.#connection = connection
    this.#version = this.#look()
    this.#last = null
    this.#start()
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#start()
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Called with a change that is durable. */
  publish(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change)
  }

  catchUp(): void {
    const nowMs = performance.now()
    if (this.#turnIsOpen && nowMs - this.#lookedAtMs < LOOK_LASTS_MS) return
    const version = this.#look()
    if (version !== this.#version) {
      const missed = this.#connection.attempt(() => this.#readMissed())
      this.#version = version
      for (const change of missed) this.publish(change)
    }
    // A look that failed counts for nothing: the next request looks again.
    this.#lookedAtMs = nowMs
    if (this.#turnIsOpen) return
    this.#turnIsOpen = true
    setImmediate(this.#endTurn)
  }

  /**
   * What was committed since the last time, own changes among it; `all` where the table cannot say: it keeps no row that
   * was told of last, or another one in its place, as after a backup was restored into the file.
   */
  #readMissed(): readonly Change[] {
    const before = this.#last
    if (before === null) {
      this.#start()
      return [{ kind: 'all' }]
    }
    const rows = this.#connection.all<ChangeRow>(MISSED, before.id)
    const known = before.id === 0 ? { ...NOTHING_YET } : rows.shift()
    const follows = rows[0] === undefined || rows[0].id === before.id + 1
    if (follows && isDeepStrictEqual(known, before)) {
      this.#last = rows.at(-1) ?? before
      return rows.map(changeOf)
    }
    this.#last = this.#newest()
    return [{ kind: 'all' }]
  }

  /** Takes up the table at its newest row, once it is there; nobody remembers anything from before. */
  #start(): void {
    if (this.#last !== null || !this.#connection.isReady) return
    this.#last = this.#connection.attempt(() => this.#newest())
  }

  #newest(): ChangeRow {
    return this.#connection.all<ChangeRow>(NEWEST)[0] ?? NOTHING_YET
  }

  #look(): unknown {
    return this.#connection.attempt(() => this.#connection.prepared('PRAGMA data_version').pluck().get())
  }
}

/** A key that is not of its kind names nothing, so everything may have changed. */
function changeOf({ kind, key }: ChangeRow): Change {
  if (kind === 'token' && types.isUint8Array(key)) return { kind, digest: bytesOf(key) }
  if (kind === 'user' && (typeof key === 'number' || typeof key === 'string')) return { kind, userId: key }
  if (kind === 'jwt' && typeof key === 'string') return { kind, jti: key }
  if (kind === 'keys') return { kind }
  return { kind: 'all' }
}

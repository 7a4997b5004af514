/** The change feed on PostgreSQL: own changes as they are made, those of other nodes out of the `changes` table. */
import type { Broadcast, Change, ChangeFeed } from 'latchkey'
import { ChangeReader, type ChangeReaderOptions, type Reading } from './change-reader.js'
import { MAX_ROWS } from './change-rows.js'
import type { Started } from './connection.js'
import type { Database } from './database.js'
import { Lease, type LeaseClocks } from './lease.js'
import { unavailable } from './store-error.js'
import { Told } from './told.js'

export interface ChangesOptions extends ChangeReaderOptions {
  readonly leaseSeconds: number
  readonly broadcast: Broadcast | undefined
}

/** A change feed that says how old what it knows may be. */
export interface LaggingChangeFeed extends ChangeFeed {
  /** Milliseconds since the start of the last successful look at the changes; above the lease memory is not trusted. */
  readonly lagMs: number
}

/**
 * Why the bound holds. A change is in the table when it is committed, because its own transaction wrote it there; a
 * reading sees all that was committed before it started; and an answer from memory counts only while the last reading
 * started at most a lease ago. So what was acknowledged longer ago than a lease has been heard, or else `catchUp` says
 * that everything may have changed, and callers read through to the store. Notifications and broadcasts make it
 * milliseconds; when they are late, lost or made up, the bound is the same.
 */
export class Changes implements LaggingChangeFeed, Started {
  readonly #database: Database
  readonly #lease: Lease
  readonly #reader: ChangeReader
  readonly #options: ChangesOptions
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #told = new Told()
  #stopBroadcast: (() => void) | undefined
  #isStopped = false
  /** How far the log was when a reading last had something to tell; null: own changes came after it. */
  #lsn: string | null = null
  #ownChangeAtMs = Number.NEGATIVE_INFINITY
  readonly #tell = (change: Change) => {
    for (const listener of [...this.#listeners]) listener(change)
  }

  constructor(database: Database, options: ChangesOptions, clocks?: LeaseClocks) {
    this.#database = database
    this.#options = options
    this.#lease = new Lease(options.leaseSeconds * 1000, clocks)
    this.#reader = new ChangeReader(database, options, this.#lease, (reading) => this.#take(reading))
  }

  get lagMs(): number {
    return this.#lease.lagMs
  }

  /**
   * Where the log of a replica must be for it to know all that this node knows; null while nobody can say. A reader of
   * an older state could be given a right of which this node has already been told that it ended.
   */
  get requiredLsn(): string | null {
    return this.#lease.isOver ? null : this.#lsn
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  catchUp(): void {
    if (this.#isStopped) throw unavailable(this.#database.place, { detail: 'the store is closed' })
    if (this.#lease.isOver) this.#tell({ kind: 'all' })
  }

  /** Called with own changes that are durable, and the transaction that made them. */
  publish(xid: string | null, changes: readonly Change[]): void {
    if (changes.length === 0) return
    this.#lsn = null
    this.#ownChangeAtMs = this.#lease.now().monotonicMs
    // So many come back as one `all` anyway.
    const isMany = changes.length > MAX_ROWS
    for (const change of changes) {
      if (xid === null || isMany) this.#tell(change)
      else this.#told.once(xid, change, this.#tell)
    }
    if (this.#options.hasReplica) this.#reader.wake()
    void this.#publishOn()
  }

  async start(): Promise<void> {
    await this.#reader.start()
    this.#stopBroadcast ??= this.#options.broadcast?.subscribe(() => this.#reader.wake())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopBroadcast?.()
    this.#reader.stop()
  }

  #take({ startedAt, changes, lsn }: Reading): void {
    const isAfterOwn = startedAt.monotonicMs > this.#ownChangeAtMs
    if (isAfterOwn && (this.#lsn === null || changes?.length !== 0)) this.#lsn = lsn
    if (changes === null) {
      this.#told.clear()
      this.#tell({ kind: 'all' })
      return
    }
    for (const { xid, change } of changes) this.#told.once(xid, change, this.#tell)
  }

  async #publishOn(): Promise<void> {
    try {
      await this.#options.broadcast?.publish()
    } catch {
      // Other nodes look at their interval.
    }
  }
}

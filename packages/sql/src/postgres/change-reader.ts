/** Follows the `changes` table: at an interval, and at once when woken. The feed of `changes.ts` gives it the lease. */
import {
  type ChangeRow,
  changeOf,
  KEPT_MS,
  MAX_ROWS,
  PRUNED_AT_ONCE,
  pruneText,
  readText,
  type ToldChange,
} from './change-rows.js'
import type { Database } from './database.js'
import type { Lease, Moment } from './lease.js'
import type { PostgresClient } from './pool.js'
import { unavailable } from './store-error.js'

export interface ChangeReaderOptions {
  readonly schema: string
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly transactionPooler: boolean
  /** Whether readings say how far the log was written, for a replica. */
  readonly hasReplica: boolean
}

export interface Reading {
  readonly startedAt: Moment
  /** What was committed since the last reading, by transaction; null: nobody can say, so everything may have changed. */
  readonly changes: readonly ToldChange[] | null
  /** Where the log ended: all that this reading saw lies before. Null without a replica. */
  readonly lsn: string | null
}

/** Up to where was read: a snapshot of one server, from one start of it to the next. */
interface Position {
  readonly snapshot: string
  readonly server: string
}

const PRUNE_EVERY_MS = 60_000

export class ChangeReader {
  readonly #database: Database
  readonly #options: ChangeReaderOptions
  readonly #lease: Lease
  readonly #take: (reading: Reading) => void
  readonly #text: string
  #client: PostgresClient | null = null
  #position: Position | null = null
  #lastStart: Moment
  #prunedAt: Moment
  #timer: NodeJS.Timeout | undefined
  #isStarted = false
  #isStopped = false
  #isReading = false
  #isWoken = false

  constructor(
    database: Database,
    options: ChangeReaderOptions,
    lease: Lease,
    take: (reading: Reading) => void,
  ) {
    this.#database = database
    this.#options = options
    this.#lease = lease
    this.#take = take
    this.#text = readText(options.schema, options.hasReplica)
    this.#lastStart = this.#prunedAt = lease.now()
  }

  /** The first reading; rejects when it fails. Afterwards it goes on by itself, and keeps no process alive. */
  async start(): Promise<void> {
    if (this.#isStarted) return
    try {
      await this.#read()
    } catch (error) {
      this.#drop()
      throw error
    }
    this.#isStarted = true
    if (this.#isWoken) void this.#readOn()
    else this.#waitForNext()
  }

  /** Reads soon: now, or again after the reading that is under way. */
  wake(): void {
    if (this.#isStopped) return
    this.#isWoken = true
    if (this.#isStarted && !this.#isReading) void this.#readOn()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#drop()
  }

  async #readOn(): Promise<void> {
    this.#isReading = true
    clearTimeout(this.#timer)
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false
      const wasConnected = this.#client !== null
      try {
        await this.#read()
      } catch {
        this.#drop()
        // The connection may have died long ago: a new one is tried at once, and after that at the interval.
        this.#isWoken = wasConnected
      }
    }
    this.#isReading = false
    if (!this.#isStopped) this.#waitForNext()
  }

  #waitForNext(): void {
    this.#timer = setTimeout(() => this.wake(), this.#lease.ms / 4)
    this.#timer.unref()
  }

  async #read(): Promise<void> {
    const startedAt = this.#lease.now()
    const client = this.#client ?? (await this.#connect())
    const { schema } = this.#options
    const { rows } = await this.#database.runOn<ChangeRow>(
      client,
      { name: `${schema}.changes`, sql: this.#text, parameters: [this.#position?.snapshot ?? null] },
      this.#timeoutMs,
    )
    client.unref?.()
    const [first] = rows
    if (first === undefined || first.standby === 1) {
      throw unavailable(this.#database.place, { detail: 'the server is a replica: name the primary' })
    }
    const { snapshot, server, pid, lsn } = first
    this.#database.noticeProcess(client, pid)
    const last = this.#position
    const isKnown = last?.server === server && rows.length <= MAX_ROWS
    const isRecent = this.#msSince(this.#lastStart, startedAt) < KEPT_MS / 2
    // Before the first reading there was no lease, so nothing was answered from memory that has to be forgotten now.
    const changes = last === null ? [] : isKnown && isRecent ? rows.flatMap(changeOf) : null
    this.#take({ startedAt, changes, lsn })
    // Only now: what a listener could not take is read again, and the lease is not renewed by it.
    this.#position = { snapshot, server }
    this.#lastStart = startedAt
    this.#lease.renew(startedAt)
    if (this.#msSince(this.#prunedAt, startedAt) >= PRUNE_EVERY_MS) {
      this.#prunedAt = startedAt
      void this.#prune()
    }
  }

  async #connect(): Promise<PostgresClient> {
    const client = await this.#database.acquire(Math.min(this.#options.connectTimeoutMs, this.#timeoutMs))
    if (this.#isStopped) {
      client.release()
      throw unavailable(this.#database.place, { detail: 'the store is closed' })
    }
    this.#client = client
    const isGone = () => {
      if (this.#client !== client) return
      this.#drop()
      this.wake()
    }
    client.on('error', isGone)
    client.on('end', isGone)
    if (!this.#options.transactionPooler) {
      client.on('notification', () => this.wake())
      // Before the first reading on this connection: what is told after it is read, and what was told before it too.
      await this.#database.runOn(client, { sql: `LISTEN "${this.#options.schema}.changes"` }, this.#timeoutMs)
    }
    return client
  }

  /** Closes the connection: it listens, and may be somebody else's pool's. */
  #drop(): void {
    const client = this.#client
    this.#client = null
    client?.release(true)
  }

  async #prune(): Promise<void> {
    try {
      const sql = pruneText(this.#options.schema)
      while ((await this.#database.run({ sql })).count === PRUNED_AT_ONCE);
    } catch {
      // The next minute tries again.
    }
  }

  /** A stalled connection is given up early enough for another one to save the lease. */
  get #timeoutMs(): number {
    return Math.min(this.#lease.ms / 2, this.#options.statementTimeoutMs)
  }

  #msSince(from: Moment, to: Moment): number {
    return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs)
  }
}

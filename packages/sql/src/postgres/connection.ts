/** The database as the stores use it: methods that wait for the tables, statements that are counted. */
import type { CompiledQuery } from 'kysely'
import type { EraseResult } from '../erase.js'
import type { Database, DatabaseOptions } from './database.js'
import { erase } from './erase.js'
import { migrate, migrationState } from './migrate.js'
import { type PartitionResult, partitionTokens } from './partition.js'
import type { PostgresResult } from './pool.js'
import type { Committed, Runner, Statement, TransactionOptions } from './statements.js'
import { unavailable } from './store-error.js'

export interface ConnectionOptions extends DatabaseOptions {
  readonly schema: string
  readonly externalUsers: boolean
  readonly migrate: boolean
}

/** What has to run before an answer from memory counts; here, the change feed. */
export interface Started {
  start(): Promise<void>
  stop(): Promise<void>
}

export class Connection {
  readonly database: Database
  readonly options: ConnectionOptions
  /** Statements of methods so far, without BEGIN and COMMIT, and without those of the change feed. */
  statementCount = 0
  readonly #feed: Started
  /** Whether the tables are those of this version, and the change feed follows them. */
  #isReady = false
  #isClosed = false
  #becoming: Promise<readonly string[]> | null = null

  constructor(database: Database, options: ConnectionOptions, feed: Started) {
    this.database = database
    this.options = options
    this.#feed = feed
  }

  /** Makes work a store method, which rejects with what to do, and first waits for the tables. */
  method<Args extends readonly unknown[], Result>(work: (...args: Args) => Result | Promise<Result>) {
    return async (...args: Args): Promise<Result> => {
      if (!this.#isReady) await this.#becomeReady(this.options.migrate)
      return this.attempt(() => work(...args))
    }
  }

  /** What goes wrong with the server rejects as `store_unavailable`. */
  async attempt<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    try {
      if (this.#isClosed) throw unavailable(this.database.place, { detail: 'the store is closed' })
      return await work()
    } catch (error) {
      throw this.database.failure(error)
    }
  }

  /** All rows of a query that Kysely built. */
  async query<Row>(query: CompiledQuery<Row>, runner: Runner = this.database): Promise<readonly Row[]> {
    return (await this.#run<Row>(query, runner)).rows
  }

  /** The number of rows that a query changed. */
  async run(query: CompiledQuery, runner: Runner = this.database): Promise<number> {
    return (await this.#run(query, runner)).count
  }

  /** All rows of a statement that is written by hand. */
  async all<Row>(statement: Statement, runner: Runner = this.database): Promise<readonly Row[]> {
    this.statementCount += 1
    return (await runner.run<Row>(statement)).rows
  }

  transaction<Result>(
    work: (transaction: Runner) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Committed<Result>> {
    const { lock, ...more } = options
    return this.database.transaction(work, lock === undefined ? more : { ...more, lock: this.#own(lock) })
  }

  /** Statements without parameters, one transaction and one round trip: see `Database.underLock`. */
  underLock(lock: string, statements: string): Promise<readonly PostgresResult[]> {
    this.statementCount += 1
    return this.database.underLock(this.#own(lock), statements)
  }

  /** Applies what is pending; methods called meanwhile wait. Returns the names applied. */
  async migrate(): Promise<readonly string[]> {
    // Another call that may not migrate is not joined.
    if (this.#becoming) await this.#becoming.catch(() => undefined)
    return this.#becomeReady(true)
  }

  /** Makes so many partitions of the tokens. See `partition.ts`. */
  readonly partitionTokens = this.method(
    (partitions: number): Promise<PartitionResult> =>
      partitionTokens(this.database, this.options.schema, partitions),
  )

  /** See `PostgresStore.eraseReplaced`. */
  readonly eraseReplaced = this.method((): Promise<EraseResult> => erase(this.database, this.options.schema))

  migrationState() {
    return this.attempt(() => migrationState(this.database, this.options.schema))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#becoming?.catch(() => undefined)
    await this.#feed.stop()
    await this.database.close()
  }

  /** Two Latchkeys in one database do not wait for each other. */
  #own(lock: string): string {
    return `${this.options.schema} ${lock}`
  }

  #run<Row>({ sql, parameters }: CompiledQuery<Row>, runner: Runner) {
    this.statementCount += 1
    return runner.run<Row>({ sql, parameters })
  }

  async #becomeReady(mayMigrate: boolean): Promise<readonly string[]> {
    if (this.#becoming) return this.#becoming
    this.#isReady = false
    this.#becoming = this.attempt(() => this.#prepare(mayMigrate)).finally(() => {
      this.#becoming = null
    })
    const applied = await this.#becoming
    this.#isReady = true
    return applied
  }

  async #prepare(mayMigrate: boolean): Promise<readonly string[]> {
    const { schema } = this.options
    const { place } = this.database
    const { applied, pending, unknown } = await migrationState(this.database, schema)
    if (unknown.length > 0) {
      const detail = `the database is newer than this version of @latchkey/sql (${unknown.join(', ')}): upgrade`
      throw unavailable(place, { detail })
    }
    if (pending.length > 0 && !mayMigrate) {
      const what = applied.length === 0 ? 'no such table' : `the database lacks ${pending.join(', ')}`
      throw unavailable(place, { detail: `${what}: run \`latchkey migrate\`` })
    }
    const names = pending.length === 0 ? [] : await migrate(this.database, schema)
    await this.#feed.start()
    return names
  }
}

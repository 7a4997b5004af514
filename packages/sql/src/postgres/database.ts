/** One PostgreSQL server through its pool: statements and transactions with bounds, and nothing that hangs. */
import {
  escapedText,
  type OpenPool,
  type PostgresClient,
  type PostgresQuery,
  type PostgresResult,
  TYPES,
} from './pool.js'
import {
  type Answer,
  beginText,
  type Committed,
  type Runner,
  type Statement,
  type TransactionOptions,
} from './statements.js'
import { isAnswer, isConflict, isLost, storeError, unavailable } from './store-error.js'

export interface DatabaseOptions {
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly transactionPooler: boolean
}

const TRIES = 5

export class Database implements Runner {
  /** For messages: no user and no password. */
  readonly place: string
  readonly options: DatabaseOptions
  readonly #open: () => Promise<OpenPool>
  readonly #heard = new WeakSet<PostgresClient>()
  #opened: Promise<OpenPool> | null = null
  #isClosed = false

  constructor(place: string, open: () => Promise<OpenPool>, options: DatabaseOptions) {
    this.place = place
    this.options = options
    this.#open = open
  }

  /** One statement on its own. Rejects with the driver's error: see `failure`. */
  async run<Row>(statement: Statement): Promise<Answer<Row>> {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.use((client) => this.runOn<Row>(client, statement))
      } catch (error) {
        if (left === 1 || !(isConflict(error) || (statement.isLookUp && isLost(error)))) throw error
      }
    }
  }

  /** Work with one connection, which is closed when it failed. */
  async use<Result>(work: (client: PostgresClient) => Promise<Result>): Promise<Result> {
    const client = await this.acquire()
    try {
      const result = await work(client)
      client.release()
      return result
    } catch (error) {
      client.release(!isAnswer(error))
      throw error
    }
  }

  /** Statements in one transaction, all or nothing. It is tried again when another one was in the way. */
  async transaction<Result>(
    work: (transaction: Runner) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Committed<Result>> {
    const { timeoutMs = this.options.statementTimeoutMs } = options
    const begin = beginText(timeoutMs, options)
    const once = async (client: PostgresClient): Promise<Committed<Result>> => {
      const transaction: Runner = { run: (statement) => this.runOn(client, statement, timeoutMs) }
      try {
        await transaction.run({ sql: begin })
        const result = await work(transaction)
        const end = await this.batch(
          client,
          'SELECT pg_current_xact_id_if_assigned()::text AS xid; COMMIT',
          timeoutMs,
        )
        const [row] = (end[0]?.rows ?? []) as ReadonlyArray<{ readonly xid: string | null }>
        return { result, xid: row?.xid ?? null }
      } catch (error) {
        // Otherwise the connection is closed, which ends the transaction too.
        if (isAnswer(error)) await transaction.run({ sql: 'ROLLBACK' })
        throw error
      }
    }
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.use(once)
      } catch (error) {
        if (!isConflict(error) || left === 1) throw error
      }
    }
  }

  /**
   * Statements without parameters in one round trip: one transaction under a lock, each seeing what was committed before
   * it began.
   */
  async underLock(lock: string, statements: string): Promise<readonly PostgresResult[]> {
    const begin = beginText(this.options.statementTimeoutMs, { lock, isRelaxed: true })
    const text = `${begin}${statements};COMMIT`
    return this.use((client) =>
      this.batch(client, text).catch(async (error) => {
        if (isAnswer(error)) await this.runOn(client, { sql: 'ROLLBACK' })
        throw error
      }),
    )
  }

  /** A connection, within the time that the option gives. */
  async acquire(timeoutMs: number = this.options.connectTimeoutMs): Promise<PostgresClient> {
    if (this.#isClosed) throw unavailable(this.place, { detail: 'the store is closed' })
    this.#opened ??= this.#openPool()
    const { pool, givesUp } = await this.#opened
    const connecting = pool.connect()
    const isBounded = givesUp && timeoutMs === this.options.connectTimeoutMs
    const client = await (isBounded ? connecting : this.#inTime(connecting, timeoutMs))
    if (!this.#heard.has(client)) {
      this.#heard.add(client)
      // Whoever waits for an answer hears of it; where nobody does, an unheard error would end the process.
      client.on('error', () => undefined)
    }
    return client
  }

  async runOn<Row>(
    client: PostgresClient,
    { sql, name, parameters = [], rowMode }: Statement,
    timeoutMs: number = this.options.statementTimeoutMs,
  ): Promise<Answer<Row>> {
    const values = parameters.map((value) => (typeof value === 'string' ? escapedText(value) : value))
    const isNamed = name !== undefined && !this.options.transactionPooler
    const query: PostgresQuery = { text: sql, values, types: TYPES }
    if (isNamed) query.name = name
    if (rowMode !== undefined) query.rowMode = rowMode
    const answer = await within(client.query(query), timeoutMs, () => this.#tooLong())
    const [last] = Array.isArray(answer) ? answer.slice(-1) : [answer as PostgresResult]
    return { rows: (last?.rows ?? []) as readonly Row[], count: last?.rowCount ?? 0 }
  }

  /** All answers to several statements without parameters. */
  async batch(
    client: PostgresClient,
    text: string,
    timeoutMs: number = this.options.statementTimeoutMs,
  ): Promise<readonly PostgresResult[]> {
    const answer = await within(client.query({ text, types: TYPES }), timeoutMs, () => this.#tooLong())
    return Array.isArray(answer) ? answer : [answer as PostgresResult]
  }

  /** What to tell the caller of what went wrong. */
  failure(error: unknown): unknown {
    return storeError(error, this.place)
  }

  /** Waits for what is running; a server that does not say goodbye is not waited for. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const opened = await this.#opened?.catch(() => null)
    if (opened)
      await within(opened.end(), this.options.connectTimeoutMs, () => this.#tooLong()).catch(() => undefined)
  }

  /** One that comes too late goes back. */
  #inTime(connecting: Promise<PostgresClient>, timeoutMs: number): Promise<PostgresClient> {
    return within(connecting, timeoutMs, () => {
      connecting.then((late) => late.release()).catch(() => undefined)
      return unavailable(this.place, {
        detail: 'the server does not answer: try again',
        retryAfterSeconds: 1,
      })
    })
  }

  async #openPool(): Promise<OpenPool> {
    const opened = await this.#open()
    // A connection that breaks while nobody uses it leaves the pool, and is nobody's error.
    opened.pool.on('error', () => undefined)
    return opened
  }

  #tooLong() {
    return unavailable(this.place, { detail: 'the server took too long: try again', retryAfterSeconds: 1 })
  }
}

/**
 * A promise with an end. The event loop may have been late itself (a stopped process, a long computation), so what has
 * arrived meanwhile is looked at before it is given up.
 */
export function within<Value>(promise: Promise<Value>, ms: number, error: () => Error): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(error())), ms)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (reason) => {
        clearTimeout(timer)
        reject(reason)
      },
    )
  })
}

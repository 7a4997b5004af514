/** One PostgreSQL server through its pool: statements and transactions with bounds, and nothing that hangs. */
import { isLatchkeyError } from 'latchkey'
import type { OpenPool, PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './pool.js'
import { areSessions, isDirect, TRANSACTION_POOLER } from './pooler.js'
import { NO_RIGHT_TO_SET, neededSettings, SESSION_STATE, type SessionState } from './session-settings.js'
import {
  type Answer,
  beginText,
  type Committed,
  type Runner,
  type Statement,
  type TransactionOptions,
} from './statements.js'
import { isAnswer, isConflict, isForbidden, isLost, storeError, unavailable } from './store-error.js'
import { parameterOf, TYPES } from './values.js'

export interface DatabaseOptions {
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly transactionPooler: boolean
}

const TRIES = 5
const NO_ANSWER = 'the server does not answer: try again'
const NO_SECOND =
  'the pooler has no second connection to the server: it needs one more than the pool size for each node and worker'
const POOL_FULL = 'no connection of the pool was free: raise its size, or look for what holds connections'

/** What is known of a connection. */
interface Session {
  /** The server process at the first look. */
  readonly pid: number
  /** What each transaction has to set first. Null: statements can run as they are. */
  readonly settings: readonly string[] | null
}

export class Database implements Runner {
  /** For messages: no user and no password. */
  readonly place: string
  readonly options: DatabaseOptions
  readonly #open: () => Promise<OpenPool>
  readonly #sessions = new WeakMap<PostgresClient, Session>()
  #opened: Promise<OpenPool> | null = null
  /** Whether the address was found to lead to sessions, where it has to. */
  #checked: Promise<void> | null = null
  #isTransactionPooler = false
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
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.use((client) => this.#transactionOn(client, work, options))
      } catch (error) {
        if (!isConflict(error) || left === 1) throw error
      }
    }
  }

  async #transactionOn<Result>(
    client: PostgresClient,
    work: (transaction: Runner) => Promise<Result>,
    options: TransactionOptions,
  ): Promise<Committed<Result>> {
    const { timeoutMs = this.options.statementTimeoutMs } = options
    const transaction: Runner = { run: (statement) => this.send(client, statement, timeoutMs) }
    try {
      await transaction.run({ sql: beginText(timeoutMs, options, this.#settingsOf(client)) })
      const result = await work(transaction)
      const end = await this.#batch(
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

  /**
   * Statements without parameters in one round trip: one transaction under a lock, each seeing what was committed before
   * it began.
   */
  async underLock(lock: string, statements: string): Promise<readonly PostgresResult[]> {
    const options = { lock, isRelaxed: true }
    return this.use((client) => {
      const begin = beginText(this.options.statementTimeoutMs, options, this.#settingsOf(client))
      return this.#batch(client, `${begin}${statements};COMMIT`).catch(async (error) => {
        if (isAnswer(error)) await this.send(client, { sql: 'ROLLBACK' })
        throw error
      })
    })
  }

  /** A connection whose settings do no harm, within the time that the option gives. */
  async acquire(timeoutMs: number = this.options.connectTimeoutMs): Promise<PostgresClient> {
    const client = await this.#connect(timeoutMs)
    try {
      if (!this.#sessions.has(client)) await this.#prepare(client, timeoutMs)
      return client
    } catch (error) {
      client.release(true)
      throw error
    }
  }

  /** One statement on its own; in a transaction where settings have to be set for it. */
  async runOn<Row>(client: PostgresClient, statement: Statement, timeoutMs?: number): Promise<Answer<Row>> {
    if (!this.#sessions.get(client)?.settings) return this.send(client, statement, timeoutMs)
    const options = timeoutMs === undefined ? {} : { timeoutMs }
    return (await this.#transactionOn(client, (transaction) => transaction.run<Row>(statement), options))
      .result
  }

  /** One statement under whatever settings the session has at the moment. */
  async send<Row>(
    client: PostgresClient,
    { sql, name, parameters = [], rowMode }: Statement,
    timeoutMs: number = this.options.statementTimeoutMs,
  ): Promise<Answer<Row>> {
    const values = parameters.map(parameterOf)
    const isNamed = name !== undefined && !this.options.transactionPooler
    const query: PostgresQuery = { text: sql, values, types: TYPES }
    if (isNamed) query.name = name
    if (rowMode !== undefined) query.rowMode = rowMode
    const answer = await within(client.query(query), timeoutMs, () => this.#tooLong())
    const [last] = Array.isArray(answer) ? answer.slice(-1) : [answer as PostgresResult]
    return { rows: (last?.rows ?? []) as readonly Row[], count: last?.rowCount ?? 0 }
  }

  /** Told the server process of each reading of a connection: another one means that there is no session. */
  noticeProcess(client: PostgresClient, pid: number): void {
    if (this.options.transactionPooler || this.#sessions.get(client)?.pid === pid) return
    this.#isTransactionPooler = true
    throw unavailable(this.place, { detail: TRANSACTION_POOLER })
  }

  /** All answers to several statements without parameters. */
  async #batch(
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

  #settingsOf(client: PostgresClient): readonly string[] {
    return this.#sessions.get(client)?.settings ?? []
  }

  async #connect(timeoutMs: number): Promise<PostgresClient> {
    if (this.#isClosed) throw unavailable(this.place, { detail: 'the store is closed' })
    if (this.#isTransactionPooler) throw unavailable(this.place, { detail: TRANSACTION_POOLER })
    const opened = await this.#openOnce()
    this.#checked ??= this.#checkSessions(opened).catch((error) => {
      this.#checked = null
      throw error
    })
    await this.#checked
    return this.#connectTo(opened, timeoutMs)
  }

  async #connectTo({ pool, isOwn }: OpenPool, timeoutMs: number): Promise<PostgresClient> {
    const connecting = pool.connect()
    const isBounded = isOwn && timeoutMs === this.options.connectTimeoutMs
    const client = await (isBounded ? connecting : this.#inTime(connecting, timeoutMs, pool))
    // Callers that wait for an answer get the error; where there are none, it would end the process.
    if (!this.#sessions.has(client)) client.on('error', () => undefined)
    return client
  }

  /** The first look at a connection: what does harm is set for good, or for each transaction of somebody else's. */
  async #prepare(client: PostgresClient, timeoutMs: number): Promise<void> {
    const { transactionPooler, statementTimeoutMs } = this.options
    const { isOwn } = await this.#openOnce()
    const state = await this.#stateOf(client, timeoutMs)
    const isSession = isOwn && !transactionPooler
    const settings = neededSettings(state, { statementTimeoutMs, isOwn: isSession })
    if (settings.length > 0) {
      const sets = settings.map((setting) => `SET ${isSession ? '' : 'LOCAL '}${setting}`).join(';')
      await this.#batch(client, isSession ? sets : `BEGIN;${sets};ROLLBACK`, timeoutMs).catch((error) => {
        throw isForbidden(error) ? unavailable(this.place, { detail: NO_RIGHT_TO_SET }, error) : error
      })
    }
    this.#sessions.set(client, {
      pid: state.pid,
      settings: isSession || settings.length === 0 ? null : settings,
    })
  }

  /** In a transaction of its own level: by default it may be one that a replica refuses, or that waits for others. */
  async #stateOf(client: PostgresClient, timeoutMs?: number): Promise<SessionState> {
    const text = `BEGIN ISOLATION LEVEL READ COMMITTED;${SESSION_STATE};COMMIT`
    const [, answer] = await this.#batch(client, text, timeoutMs)
    const [state] = (answer?.rows ?? []) as readonly SessionState[]
    return state ?? { pid: 0 }
  }

  /** Once, before anything is set or prepared: where that would not last, the option must say so. */
  async #checkSessions(opened: OpenPool): Promise<void> {
    const { transactionPooler, connectTimeoutMs } = this.options
    if (transactionPooler) return
    const clients: PostgresClient[] = []
    const connect = async () => {
      const client = await this.#connectTo(opened, connectTimeoutMs)
      clients.push(client)
      return async () => (await this.#stateOf(client)).pid
    }
    try {
      const first = await connect()
      const pid = await first()
      if (clients[0] !== undefined && isDirect(clients[0], pid)) return
      const second = await connect()
      // In session mode it waits until the pooler has a server process for it too.
      await second().catch((error) => {
        if (!isLatchkeyError(error, 'store_unavailable')) throw error
        throw unavailable(this.place, { detail: NO_SECOND, retryAfterSeconds: 1 }, error)
      })
      if (await areSessions([first, second])) return
      throw unavailable(this.place, { detail: TRANSACTION_POOLER })
    } catch (error) {
      for (const client of clients.splice(0)) client.release(true)
      throw error
    } finally {
      for (const client of clients) client.release()
    }
  }

  /** One that comes too late goes back. */
  #inTime(
    connecting: Promise<PostgresClient>,
    timeoutMs: number,
    pool: PostgresPool,
  ): Promise<PostgresClient> {
    return within(connecting, timeoutMs, () => {
      const isFull = (pool.waitingCount ?? 0) > 0
      connecting.then((late) => late.release()).catch(() => undefined)
      return unavailable(this.place, { detail: isFull ? POOL_FULL : NO_ANSWER, retryAfterSeconds: 1 })
    })
  }

  #openOnce(): Promise<OpenPool> {
    this.#opened ??= this.#openPool().catch((error) => {
      this.#opened = null
      throw error
    })
    return this.#opened
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

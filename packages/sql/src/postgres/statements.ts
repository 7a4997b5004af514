/** What is run: statements, and the transactions that hold them together. `database.ts` runs them. */
import { hash } from 'node:crypto'

/** `name`: prepared once per connection, where a connection stays with one server process. */
export interface Statement {
  readonly sql: string
  readonly name?: string
  readonly parameters?: readonly unknown[]
  /** It only reads: asked again when the connection was lost, since nothing can have happened twice. */
  readonly isLookUp?: boolean
  /** Rows come as arrays: half the work for the one look-up that is hot. */
  readonly rowMode?: 'array'
}

export interface Answer<Row> {
  readonly rows: readonly Row[]
  readonly count: number
}

/** What runs statements: a transaction, or the pool, each on its own. */
export interface Runner {
  run<Row>(statement: Statement): Promise<Answer<Row>>
}

export interface TransactionOptions {
  /** Held until the end: of several transactions with the same word, in any process, one runs after the other. */
  readonly lock?: string
  /**
   * The commit need not wait for the disk: a power cut may undo it, a crash of this process does not. For what costs
   * nobody anything: a count of guesses.
   */
  readonly isRelaxed?: boolean
  /** How long one statement may take; default: the option. */
  readonly timeoutMs?: number
}

/** A transaction's result with its id, by which the change feed knows it again; null when it changed nothing. */
export interface Committed<Result> {
  readonly result: Result
  readonly xid: string | null
}

/**
 * READ COMMITTED whatever the database's default: a statement after a lock must see what the lock waited for. A process
 * that is stopped in the middle loses its locks after the time. `settings` are those that the session needs first: see
 * `session-settings.ts`.
 */
export function beginText(
  timeoutMs: number,
  { lock, isRelaxed }: TransactionOptions,
  settings: readonly string[] = [],
): string {
  const begin = [
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    ...settings.map((setting) => `SET LOCAL ${setting}`),
    `SET LOCAL statement_timeout = ${timeoutMs}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${timeoutMs}`,
    ...(isRelaxed ? ['SET LOCAL synchronous_commit = off'] : []),
    ...(lock === undefined ? [] : [lockText(lock)]),
  ]
  return `${begin.join(';')};`
}

/** 64 bits of a hash: two words that share them wait for each other, and nothing worse. */
function lockText(word: string): string {
  const key = Buffer.from(hash('sha256', `latchkey ${word}`, 'hex'), 'hex').readBigInt64BE()
  return `SELECT pg_catalog.pg_advisory_xact_lock(${key})`
}

/** One SQLite file, opened and looked after: statements, transactions, and methods that wait for the tables. */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
// Imported, for the global of that name is a getter.
import { performance } from 'node:perf_hooks'
import type { Statement } from 'better-sqlite3'
import type { CompiledQuery } from 'kysely'
import { codeOf } from '../error-like.js'
import { Database } from './driver.js'
import { migrate, migrationState } from './migrate.js'
import { storeError, unavailable } from './store-error.js'

export interface ConnectionOptions {
  readonly busyTimeoutMs: number
  readonly synchronous: 'full' | 'normal'
  readonly externalUsers: boolean
  readonly migrate: boolean
}

export class Connection {
  readonly path: string
  readonly options: ConnectionOptions
  readonly database: Database
  /** Statements executed so far, without the look at `data_version`, which reads no row. */
  statementCount = 0
  readonly #statements = new Map<string, Statement<unknown[]>>()
  /** Whether the tables are those of this version. */
  #ready: boolean
  #migrating: Promise<readonly string[]> | null = null
  /** The file that was opened, as the file system knows it; null for one in memory. */
  readonly #file: string | null
  /** Where it is, wherever this process goes. */
  readonly #place: string
  #fileSeenAtMs = performance.now()

  /** Opens or creates the file. Throws `store_unavailable` when it cannot be used. */
  constructor(path: string, options: ConnectionOptions) {
    this.path = path
    this.options = options
    this.database = open(path, options)
    this.#place = path === ':memory:' ? path : resolve(path)
    this.#file = fileIdentity(this.#place)
    try {
      const { pending, unknown } = migrationState(this.database)
      if (unknown.length > 0) {
        const detail = `the database is newer than this version of @latchkey/sql (${unknown.join(', ')}): upgrade`
        throw unavailable(path, { detail })
      }
      this.#ready = pending.length === 0
    } catch (error) {
      this.database.close()
      throw storeError(error, path)
    }
  }

  /** Makes synchronous work a store method, which rejects and never throws, and first waits for the tables. */
  method<Args extends readonly unknown[], Result>(work: (...args: Args) => Result) {
    return async (...args: Args): Promise<Result> => {
      while (!this.#ready) await this.#becomeReady()
      return this.attempt(() => work(...args))
    }
  }

  /** Whether the tables are those of this version, as far as this process has looked. */
  get isReady(): boolean {
    return this.#ready
  }

  /** Does it now; what goes wrong with the database is thrown as `store_unavailable`. */
  attempt<Result>(work: () => Result): Result {
    try {
      this.#requireFile()
      return work()
    } catch (error) {
      throw storeError(error, this.path)
    }
  }

  /** All rows of a query that Kysely built. */
  query<Row>(query: CompiledQuery<Row>): Row[] {
    return this.all<Row>(query.sql, ...query.parameters)
  }

  /**
   * All rows. Also for changes with RETURNING: an autocommit's failure is reported by the step after the last row,
   * which `get()` does not take.
   */
  all<Row>(sql: string, ...parameters: readonly unknown[]): Row[] {
    this.statementCount += 1
    return this.prepared(sql).all(...parameters) as Row[]
  }

  /** The number of rows changed. */
  run({ sql, parameters }: { readonly sql: string; readonly parameters: readonly unknown[] }): number {
    this.statementCount += 1
    return this.prepared(sql).run(...parameters).changes
  }

  /** The one statement for this text; prepared at its first use, because the tables may come later. */
  prepared(sql: string): Statement<unknown[]> {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.database.prepare<unknown[]>(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /**
   * Runs synchronous work whose commit need not wait for the disk: it survives a crash of the process, and the next full
   * commit takes it along, but a power cut may undo it. For what costs nobody anything: a count of guesses, a last login.
   */
  relaxed<Result>(work: () => Result): Result {
    if (this.options.synchronous !== 'full') return work()
    this.prepared('PRAGMA synchronous = normal').run()
    try {
      return work()
    } finally {
      this.prepared('PRAGMA synchronous = full').run()
    }
  }

  /** Runs synchronous work with the write lock taken first, so that what it reads stays true until it writes. */
  immediate<Result>(work: () => Result): Result {
    return this.database.transaction(work).immediate()
  }

  /** Applies what is pending; methods called meanwhile wait. Returns the names applied. */
  migrate(): Promise<readonly string[]> {
    this.#migrating ??= this.#migrate().finally(() => {
      this.#migrating = null
    })
    return this.#migrating
  }

  async close(): Promise<void> {
    await this.#migrating?.catch(() => undefined)
    this.#ready = true
    this.database.close()
  }

  /**
   * A file that was removed, or another one in its place: what is written to ours is lost when it is closed, and what other
   * processes change in the new one is not seen here. Looked for once in a while, since it costs a system call.
   */
  #requireFile(): void {
    const nowMs = performance.now()
    if (nowMs - this.#fileSeenAtMs < FILE_LOOK_MS) return
    if (this.#file !== fileIdentity(this.#place)) {
      const detail = 'the database file was removed or replaced while it was in use: restart this process'
      throw unavailable(this.path, { detail })
    }
    this.#fileSeenAtMs = nowMs
  }

  async #migrate(): Promise<readonly string[]> {
    this.#ready = false
    try {
      const applied = await migrate(this.database)
      if (this.#file !== null) enterWal(this.database, this.path, this.options.busyTimeoutMs)
      this.#ready = true
      return applied
    } catch (error) {
      throw storeError(error, this.path)
    }
  }

  async #becomeReady(): Promise<void> {
    if (this.#migrating || this.options.migrate) {
      await this.migrate()
      return
    }
    const { applied, pending } = this.attempt(() => migrationState(this.database))
    this.#ready = pending.length === 0
    if (this.#ready) return
    const what = applied.length === 0 ? 'no such table' : `the database lacks ${pending.join(', ')}`
    throw unavailable(this.path, { detail: `${what}: run \`latchkey migrate\`` })
  }
}

function open(path: string, options: ConnectionOptions): Database {
  const inMemory = path === ':memory:'
  if (!inMemory) prepareFile(path)
  let database: Database | undefined
  try {
    database = new Database(path, { timeout: options.busyTimeoutMs })
    // Another program's file is left as it is until it is asked to hold our tables, too.
    if (!inMemory && !isForeign(database)) enterWal(database, path, options.busyTimeoutMs)
    database.pragma(`synchronous = ${options.synchronous}`)
    // What is deleted or replaced is overwritten: a seal under an old secret must not stay in the file.
    database.pragma('secure_delete = on')
    database.pragma(`foreign_keys = ${options.externalUsers ? 'off' : 'on'}`)
    return database
  } catch (error) {
    database?.close()
    throw storeError(error, path)
  }
}

/** How long a look at the file counts. */
const FILE_LOOK_MS = 1000

/** Device and inode; null for a database in memory, `''` for a file that is not there. */
function fileIdentity(path: string): string | null {
  if (path === ':memory:') return null
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`
}

/** Whether the file has tables, and none of ours. */
function isForeign(database: Database): boolean {
  const tables = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' LIMIT 1`)
  return tables.get() !== undefined && migrationState(database).applied.length === 0
}

const BY_FILE_ERROR: Readonly<Record<string, string>> = {
  ENOENT: 'the directory does not exist: create it',
  ENOTDIR: 'a part of the path is not a directory: check the path',
  EACCES: 'no right to read and write the file: check its owner and mode, and those of its directory',
  EPERM: 'no right to read and write the file: check its owner and mode, and those of its directory',
  EROFS: 'the file system is read-only: choose another place',
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: free some space',
  EMFILE: 'too many open files: raise the limit',
  ENAMETOOLONG: 'the path is too long: choose a shorter one',
  ELOOP: 'the path is a circle of symbolic links: check the path',
}

/**
 * Creates a new file for its owner only (SQLite gives its WAL the same mode) and refuses what cannot be a database.
 * An existing file is never opened here: closing it would drop the POSIX locks of this process's other connections.
 */
function prepareFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw fileTrouble(path, error)
    try {
      if (statSync(path).isDirectory())
        throw unavailable(path, { detail: 'is a directory: name a file in it' })
      accessSync(path, constants.R_OK | constants.W_OK)
    } catch (problem) {
      throw fileTrouble(path, problem)
    }
  }
}

function fileTrouble(path: string, error: unknown): unknown {
  const detail = BY_FILE_ERROR[codeOf(error)]
  return detail === undefined ? error : unavailable(path, { detail }, error)
}

/**
 * Switching to WAL needs the file alone, and SQLite does not wait for that lock whatever the timeout: when several
 * processes open a new file at once, all but one try again.
 */
function enterWal(database: Database, path: string, timeoutMs: number): void {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      const mode = database.pragma('journal_mode = wal', { simple: true })
      if (mode === 'wal') return
      throw unavailable(path, { detail: 'the file system cannot share memory: use a local disk' })
    } catch (error) {
      const locked = codeOf(error).startsWith('SQLITE_BUSY') || codeOf(error).startsWith('SQLITE_LOCKED')
      if (!locked || performance.now() >= deadlineMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

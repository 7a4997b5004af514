/** `sqlite(path)`: every store on one SQLite file, which any number of processes may share. */
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Store } from 'latchkey'
import type { EraseResult } from '../erase.js'
import { listed } from '../migrations/state.js'
import type { Schema } from '../schema.js'
import { Access, accessStore } from './access.js'
import { Changes } from './changes.js'
import { Connection, type ConnectionOptions } from './connection.js'
import { counterStore } from './counters.js'
import { erase } from './erase.js'
import { jwtStore } from './jwts.js'
import { keyStore } from './keys.js'
import { loginAddressStore } from './login-addresses.js'
import { migrationState } from './migrate.js'
import { sealingKeyStore } from './sealing-keys.js'
import { sessionStore } from './sessions.js'
import { tokenStore } from './tokens.js'
import { userStore } from './users.js'

export interface SqliteOptions {
  /**
   * How long to wait for another process's lock, in milliseconds; default 5000. The driver is synchronous: while it
   * waits, this process does nothing else.
   */
  readonly busyTimeoutMs?: number
  /** `'full'` (the default): what was acknowledged survives a power cut. `'normal'`: it survives a crash. */
  readonly synchronous?: 'full' | 'normal'
  /** True: user ids are those of the app's own users, and are neither checked nor joined. Default: false. */
  readonly externalUsers?: boolean
  /**
   * True (the default): pending migrations are applied before the first use. False: until `migrate()` was called,
   * here or by another process, every use rejects with `store_unavailable`.
   */
  readonly migrate?: boolean
}

export interface SqliteStore extends Store {
  readonly path: string
  /** Statements executed so far, for tests and benchmarks. Looks at `PRAGMA data_version` are not among them. */
  readonly statementCount: number
  /** Applies pending migrations, all or nothing; returns the names of those it applied. */
  migrate(): Promise<readonly string[]>
  /**
   * Rewrites the file, so that nothing is left in it or in its WAL that was deleted or replaced, by this version or an
   * earlier one. Writers wait meanwhile; readers do not.
   */
  eraseReplaced(): Promise<EraseResult>
  /** All migrations in their order; `appliedAt` is null for a pending one. */
  migrations(): Promise<ReadonlyArray<{ readonly name: string; readonly appliedAt: Date | null }>>
}

/**
 * Opens an SQLite database, or creates it for its owner only (mode 0600). `':memory:'` is one that is not kept.
 *
 * Throws `store_unavailable` when the file cannot be used (no such directory, no rights, not a database, newer than
 * this version), and a `TypeError` for a wrong option.
 */
export function sqlite(path: string, options: SqliteOptions = {}): SqliteStore {
  return storeOn(new Connection(checkedPath(path), checkedOptions(options)))
}

/**
 * The stores over an open connection.
 * @internal
 */
export function storeOn(connection: Connection): SqliteStore {
  const changes = new Changes(connection)
  const access = new Access(connection)
  return {
    path: connection.path,
    get statementCount() {
      return connection.statementCount
    },
    users: userStore(connection, QUERIES, changes),
    tokens: tokenStore(connection, QUERIES, changes, access),
    sessions: sessionStore(connection, QUERIES, access),
    loginAddresses: loginAddressStore(connection, QUERIES),
    jwts: jwtStore(connection, QUERIES, changes, access),
    keys: keyStore(connection, QUERIES, changes),
    sealingKeys: sealingKeyStore(connection, QUERIES, changes),
    counters: counterStore(connection),
    access: accessStore(connection, access, changes),
    changes,
    migrate: () => connection.migrate(),
    eraseReplaced: connection.method(() => erase(connection)),
    async migrations() {
      return listed(connection.attempt(() => migrationState(connection.database)))
    },
    close: () => connection.close(),
  }
}

/**
 * Kysely writes the queries and checks them against the schema; the connection runs them. Its own executors are
 * asynchronous, and a transaction that gives up the event loop would let other requests into itself.
 */
const QUERIES = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

function checkedPath(path: string): string {
  if (typeof path !== 'string' || path === '')
    throw new TypeError('sqlite(path): path must be the name of a file')
  return path
}

/**
 * The options with their defaults; a `TypeError` for a wrong one.
 * @internal
 */
export function checkedOptions(options: SqliteOptions): ConnectionOptions {
  const {
    busyTimeoutMs = 5000,
    synchronous = 'full',
    externalUsers = false,
    migrate = true,
    ...others
  } = options
  for (const name of Object.keys(others))
    throw new TypeError(`sqlite(path, { ${name} }): there is no such option`)
  if (!Number.isSafeInteger(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > 2 ** 31 - 1) {
    throw new TypeError('sqlite(path, { busyTimeoutMs }) must be a number of milliseconds, 0 or more')
  }
  if (synchronous !== 'full' && synchronous !== 'normal') {
    throw new TypeError(`sqlite(path, { synchronous }) must be 'full' or 'normal'`)
  }
  for (const [name, value] of Object.entries({ externalUsers, migrate })) {
    if (typeof value !== 'boolean') throw new TypeError(`sqlite(path, { ${name} }) must be true or false`)
  }
  return { busyTimeoutMs, synchronous, externalUsers, migrate }
}

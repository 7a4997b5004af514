/** `postgres(url)`: every store on one PostgreSQL database, which any number of nodes may share. */
import type { Broadcast, Store } from 'latchkey'
import type { EraseResult } from '../erase.js'
import { listed } from '../migrations/state.js'
import { Access, accessStore } from './access.js'
import { parsePostgresAddress, placeOf } from './address.js'
import { Changes, type ChangesOptions, type LaggingChangeFeed } from './changes.js'
import { Connection, type ConnectionOptions } from './connection.js'
import { counterStore } from './counters.js'
import { Database } from './database.js'
import { jwtStore } from './jwts.js'
import { keyStore } from './keys.js'
import type { LeaseClocks } from './lease.js'
import { loginAddressStore } from './login-addresses.js'
import type { PartitionResult } from './partition.js'
import { type OpenPool, openPool, type PostgresPool } from './pool.js'
import { Replica } from './replica.js'
import { sealingKeyStore } from './sealing-keys.js'
import { sessionStore } from './sessions.js'
import { tokenStore } from './tokens.js'
import { userStore } from './users.js'

export interface PostgresOptions {
  /** The schema that holds the tables, and is made where it is missing; default `'latchkey'`. */
  readonly schema?: string
  /** Connections to the server at most, and one for the change feed; default 10. A pool that is given has its own size. */
  readonly poolSize?: number
  /** How long to wait for a connection, in milliseconds; default 5000. */
  readonly connectTimeoutMs?: number
  /** How long to wait for the answer to a statement, in milliseconds; default 5000. */
  readonly statementTimeoutMs?: number
  /**
   * How long answers from memory are given without having heard what other nodes changed; default 2. It bounds how long
   * a revocation of another node can stay unfelt, whatever happens to the network or to the process.
   */
  readonly leaseSeconds?: number
  /**
   * True: there is a pooler in transaction mode in between (PgBouncer and its like), so nothing is prepared, set or
   * listened to beyond a transaction. Without `broadcast`, other nodes' changes are then heard every quarter of the lease.
   */
  readonly transactionPooler?: boolean
  /** A read replica for cold look-ups: its URL, or a pool of connections to it. Asked only while it is not behind. */
  readonly replica?: string | PostgresPool
  /** Wakes other nodes after a change, beside PostgreSQL's own notifications or instead of them. */
  readonly broadcast?: Broadcast
  /** True: user ids are those of the app's own users, and are neither checked nor joined. Default: false. */
  readonly externalUsers?: boolean
  /**
   * True (the default): pending migrations are applied before the first use. False: until `migrate()` was called,
   * here or by another process, every use rejects with `store_unavailable`.
   */
  readonly migrate?: boolean
}

export interface PartitionOptions {
  /** How many; see `PARTITION_LIMITS`. */
  readonly partitions: number
}

/** What asks every partition takes longer with each of them. */
export const PARTITION_LIMITS = Object.freeze({ min: 2, max: 256 })

export interface PostgresStore extends Store {
  /** Where the database is, for messages: no user and no password. */
  readonly path: string
  readonly changes: LaggingChangeFeed
  /** Statements executed so far, for tests and benchmarks; those of the change feed are not among them. */
  readonly statementCount: number
  /** Applies pending migrations, all or nothing; returns the names of those it applied. */
  migrate(): Promise<readonly string[]>
  /**
   * Makes of the tokens a table of so many partitions by the hash of their digest, for very many of them. It copies every
   * row, and nobody else reads or writes tokens meanwhile.
   *
   * @throws TypeError for a wrong number
   */
  partitionTokens(options: PartitionOptions): Promise<PartitionResult>
  /**
   * Rewrites the tables that hold sealed bytes and hashes (`VACUUM (FULL)`), so that no row that was deleted or replaced
   * is left in their files. Each is locked meanwhile. The server's WAL, its archive, replicas and backups keep what they
   * have.
   */
  eraseReplaced(): Promise<EraseResult>
  /** All migrations in their order; `appliedAt` is null for a pending one. */
  migrations(): Promise<ReadonlyArray<{ readonly name: string; readonly appliedAt: Date | null }>>
}

/**
 * A store on PostgreSQL 13 or later: by its URL, or by a pool of `pg` that stays its owner's to end. Nothing is connected
 * before the first use; what is wrong with the server is said then, as `store_unavailable`.
 *
 * @throws TypeError for a wrong option
 */
export function postgres(database: string | PostgresPool, options: PostgresOptions = {}): PostgresStore {
  return storeOn(database, options)
}

/**
 * The same with clocks for the lease, which tests set.
 * @internal
 */
export function storeOn(
  database: string | PostgresPool,
  options: PostgresOptions,
  clocks?: LeaseClocks,
): PostgresStore {
  const { leaseSeconds, broadcast, ...checked } = checkedOptions(options)
  const primary = databaseOf(database, 'postgres(url)', checked)
  const hasReplica = options.replica !== undefined
  const changes = new Changes(primary, { ...checked, leaseSeconds, broadcast, hasReplica }, clocks)
  const replica = hasReplica ? replicaOf(options.replica, checked, changes) : null
  const connection = new Connection(primary, checked, changes)
  const access = new Access(connection)
  return {
    path: primary.place,
    get statementCount() {
      return connection.statementCount
    },
    users: userStore(connection, changes, access),
    tokens: tokenStore(connection, changes, replica, access),
    sessions: sessionStore(connection, access),
    loginAddresses: loginAddressStore(connection),
    jwts: jwtStore(connection, changes, replica, access),
    keys: keyStore(connection, changes),
    sealingKeys: sealingKeyStore(connection, changes),
    counters: counterStore(connection),
    access: accessStore(connection, access, changes),
    changes,
    migrate: () => connection.migrate(),
    partitionTokens: async ({ partitions }) => connection.partitionTokens(checkedPartitions(partitions)),
    eraseReplaced: connection.eraseReplaced,
    migrations: async () => listed(await connection.migrationState()),
    async close() {
      await connection.close()
      await replica?.close()
    },
  }
}

/** How long a replica may take: the primary, which is asked instead, waits behind it. */
const REPLICA_TIMEOUT_MS = 1000

function replicaOf(database: PostgresOptions['replica'], options: Checked, changes: Changes): Replica {
  const connectTimeoutMs = Math.min(options.connectTimeoutMs, REPLICA_TIMEOUT_MS)
  const statementTimeoutMs = Math.min(options.statementTimeoutMs, REPLICA_TIMEOUT_MS)
  const bounded = { ...options, connectTimeoutMs, statementTimeoutMs }
  return new Replica(databaseOf(database, 'postgres(url, { replica })', bounded), () => changes.requiredLsn)
}

const ADDRESS =
  'must be an address such as postgres://user@host:5432/database; a password has %23 for #, %2F for / and %3F for ?'

function databaseOf(database: string | PostgresPool | undefined, name: string, options: Checked): Database {
  if (typeof database === 'string') {
    // The address is not repeated: it may hold a password.
    if (parsePostgresAddress(database) === null) throw new TypeError(`${name}: ${ADDRESS}`)
    return new Database(placeOf(database), () => openPool(database, options), options)
  }
  if (typeof database?.connect !== 'function') throw new TypeError(`${name}: must be an address or a pool`)
  if ((database.options?.max ?? 2) < 2)
    throw new TypeError(`${name}: the pool must have 2 connections or more, since the change feed keeps one`)
  const opened: OpenPool = { pool: database, isOwn: false, end: async () => undefined }
  return new Database(placeOf(database), async () => opened, options)
}

const MS = { min: 1, max: 2 ** 31 - 1, what: 'a number of milliseconds, 1 or more' }
const NUMBERS = {
  poolSize: { min: 1, max: 10_000, what: 'a whole number, 1 or more' },
  connectTimeoutMs: MS,
  statementTimeoutMs: MS,
} as const

type Checked = ConnectionOptions & { readonly poolSize: number }

/** The options with their defaults; a `TypeError` for a wrong one. */
const OPTION_NAMES: ReadonlySet<string> = new Set<keyof PostgresOptions>([
  ...(['schema', 'poolSize', 'transactionPooler', 'replica', 'leaseSeconds', 'broadcast'] as const),
  ...(['connectTimeoutMs', 'statementTimeoutMs', 'externalUsers', 'migrate'] as const),
])

function checkedOptions(
  options: PostgresOptions,
): Checked & Pick<ChangesOptions, 'leaseSeconds' | 'broadcast'> {
  const { schema = 'latchkey', leaseSeconds = 2, broadcast } = options
  const { poolSize = 10, connectTimeoutMs = 5000, statementTimeoutMs = 5000 } = options
  const { transactionPooler = false, externalUsers = false, migrate = true } = options
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) throw new TypeError(`postgres(url, { ${name} }): there is no such option`)
  }
  for (const [name, value] of Object.entries({ poolSize, connectTimeoutMs, statementTimeoutMs })) {
    const { min, max, what } = NUMBERS[name as keyof typeof NUMBERS]
    if (!Number.isSafeInteger(value) || value < min || value > max) throw wrong(name, what)
  }
  for (const [name, value] of Object.entries({ transactionPooler, externalUsers, migrate })) {
    if (typeof value !== 'boolean') throw wrong(name, 'true or false')
  }
  if (!(leaseSeconds >= 0.1 && leaseSeconds <= 600)) throw wrong('leaseSeconds', 'a number from 0.1 to 600')
  // As it is written in statements and in the name of a channel.
  if (!/^[a-z_][a-z0-9_]{0,49}$/.test(schema))
    throw wrong('schema', 'a name of at most 50 small letters, digits and _')
  if (broadcast !== undefined && typeof broadcast.subscribe !== 'function')
    throw wrong('broadcast', 'a broadcast')
  const numbers = { poolSize, connectTimeoutMs, statementTimeoutMs, leaseSeconds }
  return { ...numbers, schema, transactionPooler, externalUsers, migrate, broadcast }
}

function checkedPartitions(partitions: number): number {
  const { min, max } = PARTITION_LIMITS
  if (Number.isSafeInteger(partitions) && partitions >= min && partitions <= max) return partitions
  throw new TypeError(`partitionTokens({ partitions }) must be a whole number from ${min} to ${max}`)
}

function wrong(name: string, what: string): TypeError {
  return new TypeError(`postgres(url, { ${name} }) must be ${what}`)
}

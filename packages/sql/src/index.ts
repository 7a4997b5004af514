/** `@latchkey/sql`: the Latchkey store on SQLite and on PostgreSQL. */
export type { EraseResult } from './erase.js'
export { parsePostgresAddress } from './postgres/address.js'
export type { PartitionResult } from './postgres/partition.js'
export type { PostgresPool } from './postgres/pool.js'
export {
  PARTITION_LIMITS,
  type PartitionOptions,
  type PostgresOptions,
  type PostgresStore,
  postgres,
} from './postgres/postgres.js'
export { type SqliteOptions, type SqliteStore, sqlite } from './sqlite/sqlite.js'

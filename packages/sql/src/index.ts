/** `@latchkey/sql`: the Latchkey store on SQLite and on PostgreSQL. */
export type { PostgresPool } from './postgres/pool.js'
export { type PostgresOptions, type PostgresStore, postgres } from './postgres/postgres.js'
export { type SqliteOptions, type SqliteStore, sqlite } from './sqlite/sqlite.js'

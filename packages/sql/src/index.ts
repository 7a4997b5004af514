/** `@latchkey/sql`: the Latchkey store on SQLite. */
export { type SqliteOptions, type SqliteStore, sqlite } from './sqlite/sqlite.js'

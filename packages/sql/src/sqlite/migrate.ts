/** Brings a database to the newest schema: Kysely's Migrator under SQLite's own write lock. */
import { Kysely, Migrator, SqliteDialect } from 'kysely'
import { MIGRATIONS } from '../migrations/index.js'
import { type AppliedMigration, type MigrationState, stateAfter } from '../migrations/state.js'
import type { Database } from './driver.js'

const TABLE = 'latchkey_migrations'

export function migrationState(database: Database): MigrationState {
  return stateAfter(appliedMigrations(database))
}

function appliedMigrations(database: Database): AppliedMigration[] {
  const table = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(TABLE)
  if (!table) return []
  return database
    .prepare<[], { name: string; timestamp: string }>(`SELECT name, timestamp FROM ${TABLE} ORDER BY name`)
    .all()
    .map(({ name, timestamp }) => ({ name, appliedAt: new Date(timestamp) }))
}

/** Migrations of this process, one after the other: see `migrate`. */
let queue: Promise<unknown> = Promise.resolve()

/**
 * Applies what is pending, all or nothing, and returns the names. Safe to run twice and by any number of processes
 * at once: SQLite's write lock is taken before the Migrator looks, since its own lock does nothing on SQLite.
 *
 * The Migrator gives up the event loop while the lock is held. Another connection of this process that waited for
 * the lock would block the event loop, and with it the lock's release; hence the queue.
 */
export function migrate(database: Database): Promise<readonly string[]> {
  const turn = queue.then(() => migrateNow(database))
  queue = turn.catch(() => undefined)
  return turn
}

async function migrateNow(database: Database): Promise<readonly string[]> {
  if (migrationState(database).pending.length === 0) return []
  database.exec('BEGIN IMMEDIATE')
  try {
    const migrator = new Migrator({
      db: new Kysely({ dialect: new SqliteDialect({ database }) }),
      provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
      migrationTableName: TABLE,
      migrationLockTableName: `${TABLE}_lock`,
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error) throw error
    database.exec('COMMIT')
    return results.map(({ migrationName }) => migrationName)
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

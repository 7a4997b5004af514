/** Brings a schema to the newest version: one transaction under one lock, all or nothing. */
import { type MigrationState, stateAfter } from '../migrations/state.js'
import type { Database } from './database.js'
import { MIGRATIONS } from './migrations/index.js'
import type { Runner } from './statements.js'
import { isMissingTable } from './store-error.js'

/** A migration may have to wait for another node's, and may rewrite a table. */
const MIGRATION_TIMEOUT_MS = 600_000

export async function migrationState(database: Runner, schema: string): Promise<MigrationState> {
  const applied = await database.run<{ name: string; applied_ms: number }>({ sql: appliedText(schema) }).then(
    ({ rows }) => rows.map((row) => ({ name: row.name, appliedAt: new Date(row.applied_ms) })),
    (error) => {
      if (isMissingTable(error)) return []
      throw error
    },
  )
  return stateAfter(applied)
}

/**
 * Applies what is pending and returns the names. Of any number of nodes that start at once one does it, under an
 * advisory lock, and the others find it done.
 *
 * Nodes of the version before run on while this happens and after it, so a migration only ever expands: new tables,
 * columns that may be null or have a default, indexes, triggers. What nobody uses any more is taken away by a migration
 * of a later version, when no node of the one before can be left.
 *
 * The table `tokens` may have partitions: decision 0021 has the rules for what is changed in it.
 */
export async function migrate(database: Database, schema: string): Promise<readonly string[]> {
  const { result } = await database.transaction(
    async (transaction) => {
      await transaction.run({ sql: 'SET LOCAL lock_timeout = 10000' })
      await makeSchema(transaction, schema)
      const { pending } = await migrationState(transaction, schema)
      for (const name of pending) {
        await transaction.run({ sql: MIGRATIONS[name as keyof typeof MIGRATIONS](schema) })
        const sql = `INSERT INTO "${schema}".latchkey_migrations (name) VALUES ($1)`
        await transaction.run({ sql, parameters: [name] })
      }
      return pending
    },
    { lock: `${schema} migrate`, timeoutMs: MIGRATION_TIMEOUT_MS },
  )
  return result
}

/** A schema that an administrator made beforehand is taken as it is: to make one needs a right that few users have. */
async function makeSchema(transaction: Runner, schema: string): Promise<void> {
  const sql = 'SELECT 1 FROM pg_namespace WHERE nspname = $1'
  const { count } = await transaction.run({ sql, parameters: [schema] })
  if (count === 0) await transaction.run({ sql: `CREATE SCHEMA "${schema}"` })
  await transaction.run({
    sql: `CREATE TABLE IF NOT EXISTS "${schema}".latchkey_migrations (
      name text COLLATE "C" PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
  })
  await transaction.run({ sql: `SET LOCAL search_path TO "${schema}"` })
}

function appliedText(schema: string): string {
  return `SELECT name, (extract(epoch FROM applied_at) * 1000)::bigint AS applied_ms
    FROM "${schema}".latchkey_migrations ORDER BY name`
}

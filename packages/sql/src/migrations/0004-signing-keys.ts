/** Migration 0004: the keys that sign JWTs. Never edited: what comes later is a later migration. */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('signing_keys')
    .addColumn('kid', 'text', (column) => column.notNull().primaryKey())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('public_jwk', 'text', (column) => column.notNull())
    .addColumn('sealed', 'blob')
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('active_from', 'integer', (column) => column.notNull())
    .addColumn('retires_at', 'integer')
    .execute()

  // As in 0003: no statement of any version, or of a hand at the database, changes the keys and forgets to say so.
  for (const [name, when] of TRIGGERS) {
    await sql
      .raw(
        `create trigger ${name} after ${when} on signing_keys begin insert into changes (kind) values ('keys'); end`,
      )
      .execute(db)
  }
}

/** Another seal changes nothing for those who know the key. */
const TRIGGERS = [
  ['signing_keys_inserted', 'insert'],
  ['signing_keys_updated', 'update of kid, algorithm, public_jwk, active_from, retires_at'],
  ['signing_keys_deleted', 'delete'],
] as const

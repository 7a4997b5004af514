/** Migration 0008: addresses of successful logins, and an index of the costs of stored hashes. Never edited once released. */
import { type Kysely, sql } from 'kysely'
import { HASH_COST_SQLITE } from './hash-cost.js'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('login_addresses')
    .addColumn('digest', 'blob', (column) => column.notNull().primaryKey())
    .addColumn('user_id', sql``, (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('login_addresses_user_id').on('login_addresses').column('user_id').execute()
  await db.schema
    .createIndex('login_addresses_expires_at')
    .on('login_addresses')
    .column('expires_at')
    .execute()
  await sql`create index users_hash_cost on users (${sql.raw(HASH_COST_SQLITE)})`.execute(db)
}

/** Migration 0001: users, tokens, sessions and counters. Never edited: what comes later is a later migration. */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // AUTOINCREMENT: an id in an old log line or in a stale cache must never come to mean somebody else.
  await db.schema
    .createTable('users')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('username', 'text', (column) => column.notNull().unique())
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('password_version', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('is_active', 'integer', (column) => column.notNull())
    .addColumn('is_staff', 'integer', (column) => column.notNull())
    .addColumn('is_superuser', 'integer', (column) => column.notNull())
    .addColumn('date_joined', 'integer', (column) => column.notNull())
    .addColumn('last_login', 'integer')
    .execute()

  // user_id has no type, so that ids of an app's own users stay what they are: text '007' or number 7.
  // slot is 0 or null, and nulls are distinct: one token per user and policy, or any number.
  await db.schema
    .createTable('tokens')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('user_id', sql``, (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('slot', 'integer')
    .addColumn('digest', 'blob', (column) => column.notNull().unique())
    .addColumn('hint', 'text', (column) => column.notNull())
    .addColumn('sealed', 'blob')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer')
    .addUniqueConstraint('tokens_one_per_user', ['user_id', 'policy', 'slot'])
    .execute()

  await db.schema
    .createTable('sessions')
    .addColumn('digest', 'blob', (column) => column.notNull().primaryKey())
    .addColumn('user_id', sql``, (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('password_version', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('sessions_user_id').on('sessions').column('user_id').execute()
  await db.schema.createIndex('sessions_expires_at').on('sessions').column('expires_at').execute()

  await db.schema
    .createTable('counter_events')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('at', 'integer', (column) => column.notNull())
    .addColumn('ends_at', 'integer', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('counter_events_key_at').on('counter_events').columns(['key', 'at']).execute()
  await db.schema.createIndex('counter_events_ends_at').on('counter_events').column('ends_at').execute()
}

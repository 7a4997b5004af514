/** Migration 0002: refresh and sliding JWTs, and since when a user's JWTs count. Never edited. */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // No reference to users: a token of a user who is gone can still be revoked, and must stay so.
  await db.schema
    .createTable('jwts')
    .addColumn('jti', 'text', (column) => column.notNull().primaryKey())
    .addColumn('family', 'text', (column) => column.notNull())
    .addColumn('user_id', sql``, (column) => column.notNull())
    .addColumn('issued_at', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'integer', (column) => column.notNull())
    .addColumn('ended_at', 'integer')
    .addColumn('successor_jti', 'text')
    .execute()
  await db.schema.createIndex('jwts_family').on('jwts').column('family').execute()
  await db.schema.createIndex('jwts_user_id').on('jwts').column('user_id').execute()
  await db.schema.createIndex('jwts_expires_at').on('jwts').column('expires_at').execute()

  await db.schema
    .createTable('jwt_users')
    .addColumn('user_id', sql``, (column) => column.notNull().primaryKey())
    .addColumn('not_before', 'integer', (column) => column.notNull())
    .execute()
}

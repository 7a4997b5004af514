/**
 * Migration 0007: how often the access of each user was narrowed, and when each family of refresh tokens began. Never edited:
 * what comes later is a later migration.
 */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('jwts').addColumn('family_started_at', 'integer').execute()

  // The key is 'u' and the id as a text, so that 42 and '42' are one user; '*' is added to everybody's version.
  await db.schema
    .createTable('access_versions')
    .addColumn('user_key', 'text', (column) => column.notNull().primaryKey())
    .addColumn('version', 'integer', (column) => column.notNull())
    .execute()

  // As in 0003: no statement of any version, or of a hand at the database, narrows access and leaves the version as it was.
  for (const [name, when] of TRIGGERS) {
    await sql
      .raw(
        `create trigger ${name} after ${when} on users begin
          insert into access_versions (user_key, version) values ('u' || old.id, 1)
            on conflict (user_key) do update set version = version + 1;
        end`,
      )
      .execute(db)
  }
}

const TRIGGERS = [
  ['users_narrowed', 'update of username, email, password_version, is_active, is_staff, is_superuser'],
  ['users_gone', 'delete'],
] as const

/** Migration 0003: what personal tokens need, how secrets are used, and changes by name for other processes. Never edited. */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [column, type] of TOKEN_COLUMNS) {
    await db.schema.alterTable('tokens').addColumn(column, type).execute()
  }
  await sql`create unique index tokens_previous_digest on tokens (previous_digest) where previous_digest is not null`.execute(
    db,
  )
  await sql`create index tokens_expires_at on tokens (expires_at) where expires_at is not null`.execute(db)

  // Apart from tokens, which a use must not touch: other processes would forget what they verified.
  await db.schema
    .createTable('token_uses')
    .addColumn('digest', 'blob', (column) => column.notNull().primaryKey())
    .addColumn('token_id', 'integer', (column) =>
      column.notNull().references('tokens.id').onDelete('cascade'),
    )
    .addColumn('use_count', 'integer', (column) => column.notNull())
    .addColumn('last_used_at', 'integer', (column) => column.notNull())
    .addColumn('last_used_address', 'text')
    .execute()
  await db.schema.createIndex('token_uses_token_id').on('token_uses').column('token_id').execute()

  // AUTOINCREMENT: who has read up to an id must never meet it again. key has no type: a digest, a user's id or a jti.
  await db.schema
    .createTable('changes')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('key', sql``)
    .execute()
  for (const [name, when, statements] of TRIGGERS) {
    await sql.raw(`create trigger ${name} ${when} begin ${statements} end`).execute(db)
  }
}

const TOKEN_COLUMNS = [
  ['scopes', 'text'],
  ['allowed_addresses', 'text'],
  ['previous_digest', 'blob'],
  ['previous_hint', 'text'],
  ['previous_ends_at', 'integer'],
] as const

const OLD_SECRETS = `
  insert into changes (kind, key) values ('token', old.digest);
  insert into changes (kind, key) select 'token', old.previous_digest where old.previous_digest is not null;`

/** Of the rows that a REPLACE takes away: SQLite fires no trigger of theirs. */
const REPLACED_TOKENS = `from tokens where (id = new.id or digest = new.digest or previous_digest = new.previous_digest
    or (user_id = new.user_id and policy = new.policy and slot = new.slot))`

/**
 * Name, when, what it does. Triggers, so that no statement of any version or of a hand at the database can narrow a
 * right and forget to say so; all but UPDATE OR REPLACE, which takes away other rows in silence.
 */
const TRIGGERS: ReadonlyArray<readonly [name: string, when: string, statements: string]> = [
  ['tokens_deleted', 'after delete on tokens', OLD_SECRETS],
  [
    'tokens_updated',
    'after update of policy, user_id, digest, scopes, allowed_addresses, expires_at, previous_digest, previous_ends_at on tokens',
    OLD_SECRETS,
  ],
  [
    'tokens_replaced',
    `before insert on tokens when exists (select 1 ${REPLACED_TOKENS})`,
    `insert into changes (kind, key) select 'token', digest ${REPLACED_TOKENS};
  insert into changes (kind, key) select 'token', previous_digest ${REPLACED_TOKENS} and previous_digest is not null;`,
  ],
  ['users_deleted', 'after delete on users', `insert into changes (kind, key) values ('user', old.id);`],
  [
    'users_replaced',
    'before insert on users',
    `insert into changes (kind, key) select 'user', id from users where id = new.id or username = new.username;`,
  ],
  [
    'users_updated',
    'after update of username, email, password_version, is_active, is_staff, is_superuser on users',
    `insert into changes (kind, key) values ('user', old.id);`,
  ],
  [
    'jwts_ended',
    'after update of ended_at on jwts when new.ended_at is not null',
    `insert into changes (kind, key) values ('jwt', old.jti);`,
  ],
  [
    'jwts_revoked',
    'after insert on jwts when new.ended_at is not null',
    `insert into changes (kind, key) values ('jwt', new.jti);`,
  ],
  [
    'jwt_users_set',
    'after insert on jwt_users',
    `insert into changes (kind, key) values ('user', new.user_id);`,
  ],
  [
    'jwt_users_moved',
    'after update on jwt_users',
    `insert into changes (kind, key) values ('user', new.user_id);`,
  ],
  // Whoever is further behind than this forgets everything instead.
  ['changes_kept', 'after insert on changes', 'delete from changes where id <= new.id - 10000;'],
]

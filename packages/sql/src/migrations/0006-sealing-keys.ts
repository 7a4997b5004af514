/**
 * Migration 0006: the register of sealing keys, and the end of seals of format 1. Never edited once released.
 *
 * From here on seals of format 2 are written. A version that knows only format 1 refuses to open this database; one
 * that had opened it before can go on to verify, and is refused when it seals.
 */
import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sealing_keys')
    .addColumn('key_id', 'text', (column) => column.notNull().primaryKey())
    .execute()
  // `format (1 byte) | key id (4) | nonce (12) | ciphertext | tag (16)`
  await sql`insert into sealing_keys (key_id)
    select lower(hex(substr(sealed, 2, 4))) from tokens where length(sealed) >= 33
    union select lower(hex(substr(sealed, 2, 4))) from signing_keys where length(sealed) >= 33`.execute(db)
  for (const when of ['insert', 'delete']) {
    await sql
      .raw(
        `create trigger sealing_keys_${when} after ${when} on sealing_keys begin insert into changes (kind) values ('keys'); end`,
      )
      .execute(db)
  }
  for (const table of ['tokens', 'signing_keys']) {
    for (const [name, event] of SEALED) {
      await sql
        .raw(
          `create trigger ${table}_sealed_${name} before ${event} on ${table}
          when length(new.sealed) >= 33 and substr(new.sealed, 1, 1) = x'01' begin select raise(abort, '${TOO_OLD}'); end`,
        )
        .execute(db)
    }
  }
}

const SEALED = [
  ['inserted', 'insert'],
  ['updated', 'update of sealed'],
] as const

/** What an older version answers that was running when this was applied. */
const TOO_OLD = 'the database is newer than this version of latchkey: upgrade it, and restart this process'

/** The import of users on PostgreSQL. */
import type { ImportedUserRecord, UserImportOutcome, UserStore } from 'latchkey'
import { msOf } from '../rows.js'
import {
  type ConflictRow,
  type CountsRow,
  conflictsText,
  countsText,
  insertText,
  outcomeOf,
} from '../user-import.js'
import type { Connection } from './connection.js'
import type { Runner } from './statements.js'
import { unavailable } from './store-error.js'

const STAGED = 'pg_temp.latchkey_user_import'

/** Of the transaction: a pooler gives the session to another client after it. */
const CREATE = `CREATE TEMP TABLE latchkey_user_import (
  position bigint PRIMARY KEY, label text NOT NULL, id bigint NOT NULL, username text COLLATE "C" NOT NULL,
  email text NOT NULL, password_hash text NOT NULL, is_active boolean NOT NULL, is_staff boolean NOT NULL,
  is_superuser boolean NOT NULL, date_joined bigint NOT NULL, last_login bigint) ON COMMIT DROP`

const STAGE = `INSERT INTO ${STAGED}
  SELECT position, label, id, username, email, password_hash, is_active, is_staff, is_superuser, date_joined, last_login
  FROM json_populate_recordset(NULL::${STAGED}, $1::json)`

/** For one statement, and for the source between two batches. */
const TIMEOUT_MS = 600_000

export function userImport(connection: Connection): UserStore['import'] {
  const { schema } = connection.options
  const users = `"${schema}".users`
  const names = Object.freeze({ staged: STAGED, users, lastId: '$1::bigint' })

  async function finish(runner: Runner, mayInsert: () => boolean): Promise<UserImportOutcome> {
    // Until the commit no other transaction inserts a user or takes an id: what is compared stays true.
    await connection.all({ sql: `ANALYZE ${STAGED}` }, runner)
    await connection.all({ sql: `LOCK TABLE ${users} IN SHARE ROW EXCLUSIVE MODE` }, runner)
    const [sequence] = await connection.all<{ readonly name: string }>(
      { sql: `SELECT pg_get_serial_sequence($1, 'id') AS name`, parameters: [users] },
      runner,
    )
    const name = sequence?.name ?? ''
    const [given] = await connection.all<{ readonly last: number }>(
      { sql: `SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last FROM ${name}` },
      runner,
    )
    const lastId = given?.last ?? 0
    const parameters = [lastId]
    const conflicts = await connection.all<ConflictRow>({ sql: conflictsText(names), parameters }, runner)
    const [counts = NONE] = await connection.all<CountsRow>({ sql: countsText(names), parameters }, runner)
    if (counts.conflicts === 0 && counts.created > 0 && mayInsert()) {
      await connection.all({ sql: insertText(names, 'OVERRIDING SYSTEM VALUE') }, runner)
      await connection.all(
        {
          sql: `SELECT setval($1::regclass, greatest($2::bigint, max(id))) FROM ${STAGED}`,
          parameters: [name, lastId],
        },
        runner,
      )
    }
    return outcomeOf(counts, conflicts)
  }

  return connection.method(async (batches, { mayInsert }) => {
    let isStarted = false
    const { result } = await connection.transaction(
      async (runner) => {
        // A transaction is tried again when another one was in its way, and the batches can be read once.
        if (isStarted)
          throw unavailable(connection.database.place, { detail: 'the import was interrupted: repeat it' })
        isStarted = true
        await connection.all({ sql: CREATE }, runner)
        for await (const batch of batches) {
          const rows = JSON.stringify(batch.map(stagedOf))
          await connection.all({ sql: STAGE, parameters: [rows] }, runner)
        }
        return finish(runner, mayInsert)
      },
      { lock: 'user import', timeoutMs: TIMEOUT_MS },
    )
    return result
  })
}

const NONE: CountsRow = Object.freeze({ conflicts: 0, created: 0, unchanged: 0 })

function stagedOf(row: ImportedUserRecord) {
  return {
    position: row.position,
    label: row.at,
    id: row.id,
    username: row.username,
    email: row.email,
    password_hash: row.passwordHash,
    is_active: row.isActive,
    is_staff: row.isStaff,
    is_superuser: row.isSuperuser,
    date_joined: msOf(row.dateJoined),
    last_login: row.lastLogin && msOf(row.lastLogin),
  }
}

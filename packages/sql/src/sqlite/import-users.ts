/** The import of users on SQLite. */
import type { ImportedUserRecord, UserImportOutcome, UserStore } from 'latchkey'
import { userColumns } from '../rows.js'
import {
  type ConflictRow,
  type CountsRow,
  conflictsText,
  countsText,
  insertText,
  outcomeOf,
} from '../user-import.js'
import type { Connection } from './connection.js'

const STAGED = 'temp.latchkey_user_import'
const NAMES = Object.freeze({ staged: STAGED, users: 'main.users', lastId: '?' })

/** A temporary table is in a file of its own, which SQLite deletes: its rows take no lock of the database. */
const CREATE = `CREATE TEMP TABLE IF NOT EXISTS latchkey_user_import (
  position INTEGER PRIMARY KEY, label TEXT NOT NULL, id INTEGER NOT NULL, username TEXT NOT NULL, email TEXT NOT NULL,
  password_hash TEXT NOT NULL, is_active INTEGER NOT NULL, is_staff INTEGER NOT NULL, is_superuser INTEGER NOT NULL,
  date_joined INTEGER NOT NULL, last_login INTEGER)`

const STAGE = `INSERT INTO ${STAGED} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

export function userImport(connection: Connection): UserStore['import'] {
  const begin = connection.method(() => {
    connection.run({ sql: CREATE, parameters: [] })
    connection.run({ sql: `DELETE FROM ${STAGED}`, parameters: [] })
  })
  const stage = connection.method((rows: readonly ImportedUserRecord[]) => {
    connection.database.transaction(() => {
      for (const row of rows) connection.run({ sql: STAGE, parameters: stagedOf(row) })
    })()
  })
  const finish = connection.method((mayInsert: () => boolean) =>
    connection.immediate((): UserImportOutcome => {
      const [sequence] = connection.all<{ readonly seq: number }>(
        `SELECT seq FROM main.sqlite_sequence WHERE name = 'users'`,
      )
      const lastId = sequence?.seq ?? 0
      const conflicts = connection.all<ConflictRow>(conflictsText(NAMES), lastId)
      const [counts = NONE] = connection.all<CountsRow>(countsText(NAMES), lastId)
      // AUTOINCREMENT goes on above the highest id that was ever inserted.
      if (counts.conflicts === 0 && mayInsert()) connection.run({ sql: insertText(NAMES), parameters: [] })
      return outcomeOf(counts, conflicts)
    }),
  )
  const end = connection.method(() => connection.run({ sql: `DELETE FROM ${STAGED}`, parameters: [] }))

  let last: Promise<unknown> = Promise.resolve()
  const run: UserStore['import'] = async (batches, { mayInsert }) => {
    await begin()
    try {
      for await (const batch of batches) await stage(batch)
      return await finish(mayInsert)
    } finally {
      await end().catch(() => undefined)
    }
  }
  // One after the other: there is one such table in a connection.
  return (batches, options) => {
    const current = last.then(() => run(batches, options))
    last = current.catch(() => undefined)
    return current
  }
}

const NONE: CountsRow = Object.freeze({ conflicts: 0, created: 0, unchanged: 0 })

function stagedOf(row: ImportedUserRecord): readonly unknown[] {
  const columns = userColumns(row)
  return [
    row.position,
    row.at,
    row.id,
    columns.username,
    columns.email,
    columns.password_hash,
    columns.is_active,
    columns.is_staff,
    columns.is_superuser,
    columns.date_joined,
    columns.last_login,
  ]
}

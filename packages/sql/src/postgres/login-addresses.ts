/** Addresses of successful logins on PostgreSQL. */
import type { LoginAddressStore } from 'latchkey'
import { msOf } from '../rows.js'
import type { Connection } from './connection.js'
import { deleteExpiredRows } from './expired.js'
import { isRowId, ownerColumns } from './rows.js'
import { isConstraint } from './store-error.js'

export function loginAddressStore(connection: Connection): LoginAddressStore {
  const { externalUsers, schema } = connection.options
  const table = `"${schema}".login_addresses`
  const owner = externalUsers ? 'external_user' : 'user_id'
  // The rows that are deleted are those of the snapshot before the insertion, except the one that was noted.
  const note = `
    WITH noted AS (
      INSERT INTO ${table} (digest, ${owner}, expires_at) VALUES ($1, $2, $3)
      ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at)
    DELETE FROM ${table} WHERE digest IN (
      SELECT digest FROM ${table} WHERE ${owner} = $2 AND digest <> $1 ORDER BY expires_at DESC OFFSET $4)`
  const find = `SELECT 1 FROM ${table} WHERE digest = ANY($1::bytea[]) AND expires_at > $2 LIMIT 1`
  return {
    note: connection.method(async ({ digest, userId, expiresAt }, keep) => {
      if (!externalUsers && !isRowId(userId)) return
      const ids = ownerColumns(userId, externalUsers)
      const parameters = [digest, ids.user_id ?? ids.external_user, msOf(expiresAt), keep - 1]
      try {
        await connection.all({ sql: note, parameters })
      } catch (error) {
        if (!isConstraint(error, 'FOREIGNKEY')) throw error
      }
    }),
    isKnown: connection.method(async (digests, now) => {
      const rows = await connection.all({ sql: find, parameters: [[...digests], msOf(now)] })
      return rows.length > 0
    }),
    deleteExpired: connection.method((now) =>
      deleteExpiredRows(connection, 'login_addresses', 'digest', msOf(now)),
    ),
  }
}

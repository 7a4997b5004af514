/** Addresses of successful logins on SQLite. */
import type { Kysely } from 'kysely'
import type { LoginAddressStore } from 'latchkey'
import { msOf, userIdColumn } from '../rows.js'
import type { Schema } from '../schema.js'
import type { Connection } from './connection.js'
import { isConstraint } from './store-error.js'

const NOTE = `
  INSERT INTO login_addresses (digest, user_id, expires_at) VALUES (?, ?, ?)
  ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at`
const TRIM = `
  DELETE FROM login_addresses WHERE digest IN (
    SELECT digest FROM login_addresses WHERE user_id = ? AND digest <> ? ORDER BY expires_at DESC LIMIT -1 OFFSET ?)`

export function loginAddressStore(connection: Connection, kysely: Kysely<Schema>): LoginAddressStore {
  const { externalUsers } = connection.options
  return {
    note: connection.method(({ digest, userId, expiresAt }, keep) => {
      if (!externalUsers && typeof userId !== 'number') return
      const owner = userIdColumn(userId)
      connection.relaxed(() =>
        connection.immediate(() => {
          try {
            connection.run({ sql: NOTE, parameters: [digest, owner, msOf(expiresAt)] })
          } catch (error) {
            if (isConstraint(error, 'FOREIGNKEY')) return
            throw error
          }
          connection.run({ sql: TRIM, parameters: [owner, digest, keep - 1] })
        }),
      )
    }),
    isKnown: connection.method((digests, now) =>
      digests.some((digest) => {
        const query = kysely
          .selectFrom('login_addresses')
          .select('digest')
          .where('digest', '=', digest)
          .where('expires_at', '>', msOf(now))
        return connection.query(query.compile()).length > 0
      }),
    ),
    deleteExpired: connection.method((now) =>
      connection.run(kysely.deleteFrom('login_addresses').where('expires_at', '<', msOf(now)).compile()),
    ),
  }
}

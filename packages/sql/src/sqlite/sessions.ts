/** Sessions on SQLite. */
import type { Kysely } from 'kysely'
import type { SessionStore } from 'latchkey'
import { msOf, type SessionRow, sessionColumns, sessionOf, type UserRow, userOf } from '../rows.js'
import type { Schema } from '../schema.js'
import type { Access } from './access.js'
import type { Connection } from './connection.js'
import { isConstraint, unavailable } from './store-error.js'

/** The hot look-ups: one statement, by hand. */
const FIND_WITH_USER = `
  SELECT sessions.*, users.* FROM sessions LEFT JOIN users ON users.id = sessions.user_id
  WHERE sessions.digest = ?`
const FIND_ALONE = `SELECT sessions.* FROM sessions WHERE digest = ?`

interface Found {
  readonly sessions: SessionRow
  readonly users?: UserRow | { readonly id: null }
}

export function sessionStore(connection: Connection, kysely: Kysely<Schema>, access: Access): SessionStore {
  const { externalUsers } = connection.options
  const refusal = () =>
    unavailable(connection.path, { detail: 'a session needs a user that exists and a digest of its own' })
  return {
    insert: connection.method((session, basis) => {
      if (!externalUsers && typeof session.userId !== 'number') throw refusal()
      const query = kysely.insertInto('sessions').values(sessionColumns(session)).compile()
      try {
        return connection.immediate(() => access.holds(basis) && connection.run(query) === 1)
      } catch (error) {
        throw isConstraint(error, 'FOREIGNKEY') || isConstraint(error, 'PRIMARYKEY') ? refusal() : error
      }
    }),
    findByDigest: connection.method((digest) => {
      connection.statementCount += 1
      const statement = connection.prepared(externalUsers ? FIND_ALONE : FIND_WITH_USER).expand()
      const found = statement.get(digest) as Found | undefined
      if (!found) return null
      const { sessions: session, users: user } = found
      return { session: sessionOf(session), user: user && user.id !== null ? userOf(user) : null }
    }),
    renew: connection.method((digest, expected, expiresAt) => {
      const query = kysely
        .updateTable('sessions')
        .set({ expires_at: msOf(expiresAt) })
        .where('digest', '=', digest)
        .where('expires_at', '=', msOf(expected))
      return connection.run(query.compile()) === 1
    }),
    delete: connection.method(
      (digest) => connection.run(kysely.deleteFrom('sessions').where('digest', '=', digest).compile()) === 1,
    ),
    deleteExpired: connection.method((now) =>
      connection.run(kysely.deleteFrom('sessions').where('expires_at', '<', msOf(now)).compile()),
    ),
  }
}

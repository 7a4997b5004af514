/** Sessions on PostgreSQL. */
import type { SessionStore, UserRecord } from 'latchkey'
import { msOf, type UserRow, userOf } from '../rows.js'
import type { Access } from './access.js'
import type { Connection } from './connection.js'
import { deleteExpiredRows } from './expired.js'
import { queriesOf } from './queries.js'
import { isRowId, newSessionColumns, type PostgresSessionRow, sessionRecord } from './rows.js'
import { isConstraint, unavailable } from './store-error.js'

/** Columns by name, since a migration may add some while this is prepared. */
const COLUMNS = `sessions.digest, sessions.user_id, sessions.external_user, sessions.password_version AS session_version,
  sessions.created_at, sessions.expires_at`
const USER_COLUMNS = `users.username, users.email, users.password_hash, users.password_version, users.is_active,
  users.is_staff, users.is_superuser, users.date_joined, users.last_login`

type FoundRow = Omit<PostgresSessionRow, 'password_version'> & { readonly session_version: number } & (
    | Omit<UserRow, 'id'>
    | { readonly username?: null }
  )

export function sessionStore(connection: Connection, access: Access): SessionStore {
  const { externalUsers, schema } = connection.options
  const kysely = queriesOf(schema)
  const refusal = () => {
    const detail = 'a session needs a user that exists and a digest of its own'
    return unavailable(connection.database.place, { detail })
  }
  const find = {
    name: `${schema}.find_session${externalUsers ? '' : '_and_user'}`,
    sql: `SELECT ${COLUMNS} ${externalUsers ? '' : `, ${USER_COLUMNS}`} FROM "${schema}".sessions
      ${externalUsers ? '' : `LEFT JOIN "${schema}".users ON users.id = sessions.user_id`} WHERE digest = $1`,
    isLookUp: true,
  }
  return {
    insert: connection.method(async (session, basis) => {
      if (!externalUsers && !isRowId(session.userId)) throw refusal()
      try {
        const query = kysely.insertInto('sessions').values(newSessionColumns(session, externalUsers))
        if (basis === undefined) return (await connection.run(query.compile())) === 1
        const { result } = await connection.transaction(
          async (transaction) =>
            (await access.hold(basis, transaction)) &&
            (await connection.run(query.compile(), transaction)) === 1,
        )
        return result
      } catch (error) {
        throw isConstraint(error, 'FOREIGNKEY') || isConstraint(error, 'UNIQUE') ? refusal() : error
      }
    }),
    findByDigest: connection.method(async (digest) => {
      const [row] = await connection.all<FoundRow>({ ...find, parameters: [digest] })
      if (row === undefined) return null
      return { session: sessionRecord({ ...row, password_version: row.session_version }), user: userIn(row) }
    }),
    renew: connection.method(async (digest, expected, expiresAt) => {
      const query = kysely
        .updateTable('sessions')
        .set({ expires_at: msOf(expiresAt) })
        .where('digest', '=', digest)
        .where('expires_at', '=', msOf(expected))
      return (await connection.run(query.compile())) === 1
    }),
    delete: connection.method(async (digest) => {
      const query = kysely.deleteFrom('sessions').where('digest', '=', digest)
      return (await connection.run(query.compile())) === 1
    }),
    deleteExpired: connection.method((now) => deleteExpiredRows(connection, 'sessions', 'digest', msOf(now))),
  }
}

function userIn(row: FoundRow): UserRecord | null {
  return typeof row.username === 'string' ? userOf({ ...row, id: row.user_id ?? 0 }) : null
}

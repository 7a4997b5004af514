/** Users on PostgreSQL. */
import type { UserRecord, UserStore } from 'latchkey'
import { changedColumns, msOf, type UserRow, userColumns, userOf } from '../rows.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { userImport } from './import-users.js'
import { queriesOf, XID } from './queries.js'
import { isRowId, rowId } from './rows.js'
import { isConstraint } from './store-error.js'

export function userStore(connection: Connection, changes: Changes): UserStore {
  const kysely = queriesOf(connection.options.schema)
  const users = kysely.selectFrom('users').selectAll()
  const first = ([row]: readonly UserRow[]): UserRecord | null => (row ? userOf(row) : null)
  return {
    findById: connection.method(async (id) => {
      if (!isRowId(id)) return null
      return first(await connection.query(users.where('id', '=', id).compile()))
    }),
    findByUsername: connection.method(async (username) =>
      first(await connection.query(users.where('username', '=', username).compile())),
    ),
    recordLogin: connection.method(async (id, { lastLogin, passwordHash }) => {
      if (!isRowId(id)) return
      const query = kysely
        .updateTable('users')
        .set(({ ref }) => ({
          last_login: lastLogin ? msOf(lastLogin) : ref('last_login'),
          password_hash: passwordHash ?? ref('password_hash'),
        }))
        .where('id', '=', id)
      await connection.run(query.compile())
    }),
    insert: connection.method(async (user) => {
      const query = kysely
        .insertInto('users')
        .values(userColumns(user))
        .onConflict((conflict) => conflict.column('username').doNothing())
        .returningAll()
      return first(await connection.query(query.compile()))
    }),
    import: userImport(connection),
    update: connection.method(async (id, change) => {
      if (!isRowId(id)) return 'not_found'
      const newPasswords = change.passwordHash === undefined ? 0 : 1
      const query = kysely
        .updateTable('users')
        .set(({ eb }) => ({
          ...changedColumns(change),
          password_version: eb('password_version', '+', newPasswords),
        }))
        .where('id', '=', id)
        .returning(XID)
      try {
        const [updated] = await connection.query(query.compile())
        if (updated === undefined) return 'not_found'
        changes.publish(updated.xid, [{ kind: 'user', userId: id }])
        return 'updated'
      } catch (error) {
        if (isConstraint(error, 'UNIQUE')) return 'username_taken'
        throw error
      }
    }),
    delete: connection.method(async (id) => {
      if (!isRowId(id)) return false
      const query = kysely.deleteFrom('users').where('id', '=', id).returning(XID)
      const [deleted] = await connection.query(query.compile())
      if (deleted === undefined) return false
      changes.publish(deleted.xid, [{ kind: 'user', userId: id }])
      return true
    }),
    list: connection.method(async ({ afterId, limit } = {}) => {
      let query = users.orderBy('id')
      if (afterId !== undefined) query = query.where('id', '>', rowId(afterId))
      if (limit !== undefined) query = query.limit(limit)
      return (await connection.query(query.compile())).map(userOf)
    }),
  }
}

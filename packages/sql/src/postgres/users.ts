/** Users on PostgreSQL. */
import type { CompiledQuery } from 'kysely'
import type { UserId, UserRecord, UserStore } from 'latchkey'
import { changedColumns, msOf, type UserRow, upgradedHash, userColumns, userOf } from '../rows.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { queriesOf, XID } from './queries.js'
import { isRowId, rowId } from './rows.js'
import { isConstraint } from './store-error.js'

export function userStore(connection: Connection, changes: Changes, access: Access): UserStore {
  const kysely = queriesOf(connection.options.schema)
  const users = kysely.selectFrom('users').selectAll()
  const first = ([row]: readonly UserRow[]): UserRecord | null => (row ? userOf(row) : null)
  /** Runs a change of one user under the lock of their access version; its transaction, or null without such a user. */
  const narrowed = async (id: UserId, change: CompiledQuery<{ readonly xid: string }>) => {
    const { result } = await connection.transaction(async (transaction) => {
      await access.narrow(id, transaction)
      const [changed] = await connection.query(change, transaction)
      return changed
    })
    return result?.xid ?? null
  }
  return {
    findById: connection.method(async (id) => {
      if (!isRowId(id)) return null
      return first(await connection.query(users.where('id', '=', id).compile()))
    }),
    findByUsername: connection.method(async (username) =>
      first(await connection.query(users.where('username', '=', username).compile())),
    ),
    recordLogin: connection.method(async (id, { lastLogin, passwordHash, expectedHash }) => {
      if (!isRowId(id)) return
      const query = kysely
        .updateTable('users')
        .set(({ ref }) => ({
          last_login: lastLogin ? msOf(lastLogin) : ref('last_login'),
          password_hash: upgradedHash(passwordHash, expectedHash) ?? ref('password_hash'),
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
        const updated = await narrowed(id, query.compile())
        if (updated === null) return 'not_found'
        changes.publish(updated, [{ kind: 'user', userId: id }])
        return 'updated'
      } catch (error) {
        if (isConstraint(error, 'UNIQUE')) return 'username_taken'
        throw error
      }
    }),
    delete: connection.method(async (id) => {
      if (!isRowId(id)) return false
      const query = kysely.deleteFrom('users').where('id', '=', id).returning(XID)
      const deleted = await narrowed(id, query.compile())
      if (deleted === null) return false
      changes.publish(deleted, [{ kind: 'user', userId: id }])
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

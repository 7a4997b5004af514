/** Users on PostgreSQL. */
import type { CompiledQuery } from 'kysely'
import type { UserId, UserRecord, UserStore } from 'latchkey'
import { HASH_COST_POSTGRES } from '../migrations/hash-cost.js'
import { changedColumns, msOf, type UserRow, upgradedHash, userColumns, userOf } from '../rows.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { userImport } from './import-users.js'
import { queriesOf, XID } from './queries.js'
import { isRowId, rowId } from './rows.js'
import { isConstraint } from './store-error.js'

/** More costs than an installation has. */
const MAX_SAMPLES = 64

export function userStore(connection: Connection, changes: Changes, access: Access): UserStore {
  const kysely = queriesOf(connection.options.schema)
  const users = kysely.selectFrom('users').selectAll()
  const table = `"${connection.options.schema}".users`
  const sampleFrom = (after: string) =>
    `(SELECT ${HASH_COST_POSTGRES} AS cost, password_hash FROM ${table} WHERE ${HASH_COST_POSTGRES} > ${after}
      ORDER BY ${HASH_COST_POSTGRES} LIMIT 1)`
  // From one cost to the next in the index, however many users have it.
  const samples = {
    name: `${connection.options.schema}.sample_password_hashes`,
    sql: `WITH RECURSIVE samples AS (
        SELECT * FROM ${sampleFrom(`''`)} AS first
        UNION ALL SELECT next.* FROM samples CROSS JOIN LATERAL ${sampleFrom('samples.cost')} AS next
      ) SELECT password_hash FROM samples LIMIT ${MAX_SAMPLES}`,
    parameters: [],
  }
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
    samplePasswordHashes: connection.method(async () =>
      (await connection.all<{ readonly password_hash: string }>(samples)).map((row) => row.password_hash),
    ),
    list: connection.method(async ({ afterId, limit } = {}) => {
      let query = users.orderBy('id')
      if (afterId !== undefined) query = query.where('id', '>', rowId(afterId))
      if (limit !== undefined) query = query.limit(limit)
      return (await connection.query(query.compile())).map(userOf)
    }),
  }
}

/** Users on SQLite. */
import type { Kysely } from 'kysely'
import type { UserId, UserRecord, UserStore } from 'latchkey'
import { HASH_COST_SQLITE } from '../migrations/hash-cost.js'
import { changedColumns, msOf, type UserRow, upgradedHash, userColumns, userOf } from '../rows.js'
import type { Schema } from '../schema.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { userImport } from './import-users.js'
import { isConstraint } from './store-error.js'

export function userStore(connection: Connection, kysely: Kysely<Schema>, changes: Changes): UserStore {
  const users = kysely.selectFrom('users').selectAll()
  const first = (rows: readonly UserRow[]): UserRecord | null => (rows[0] ? userOf(rows[0]) : null)
  return {
    findById: connection.method((id) => {
      if (!isOwnId(id)) return null
      return first(connection.query(users.where('id', '=', id).compile()))
    }),
    findByUsername: connection.method((username) =>
      first(connection.query(users.where('username', '=', username).compile())),
    ),
    recordLogin: connection.method((id, { lastLogin, passwordHash, expectedHash }) => {
      if (!isOwnId(id)) return
      const query = kysely
        .updateTable('users')
        .set(({ ref }) => ({
          last_login: lastLogin ? msOf(lastLogin) : ref('last_login'),
          password_hash: upgradedHash(passwordHash, expectedHash) ?? ref('password_hash'),
        }))
        .where('id', '=', id)
      connection.relaxed(() => connection.run(query.compile()))
    }),
    insert: connection.method((user) =>
      first(
        connection.query(
          kysely
            .insertInto('users')
            .values(userColumns(user))
            .onConflict((conflict) => conflict.column('username').doNothing())
            .returningAll()
            .compile(),
        ),
      ),
    ),
    import: userImport(connection),
    update: connection.method((id, change) => {
      if (!isOwnId(id)) return 'not_found'
      const newPasswords = change.passwordHash === undefined ? 0 : 1
      const update = kysely
        .updateTable('users')
        .set(({ eb }) => ({
          ...changedColumns(change),
          password_version: eb('password_version', '+', newPasswords),
        }))
        .where('id', '=', id)
      try {
        if (connection.run(update.compile()) === 0) return 'not_found'
      } catch (error) {
        if (isConstraint(error, 'UNIQUE')) return 'username_taken'
        throw error
      }
      changes.publish({ kind: 'user', userId: id })
      return 'updated'
    }),
    delete: connection.method((id) => {
      if (!isOwnId(id)) return false
      if (connection.run(kysely.deleteFrom('users').where('id', '=', id).compile()) === 0) return false
      changes.publish({ kind: 'user', userId: id })
      return true
    }),
    samplePasswordHashes: connection.method(() => {
      const samples: string[] = []
      for (let after = ''; samples.length < MAX_SAMPLES; ) {
        const [next] = connection.all<HashSample>(NEXT_SAMPLE, after)
        if (next === undefined) break
        samples.push(next.password_hash)
        after = next.cost
      }
      return samples
    }),
    list: connection.method(({ afterId, limit } = {}) => {
      let query = users.orderBy('id')
      if (afterId !== undefined) query = query.where('id', '>', afterId)
      if (limit !== undefined) query = query.limit(limit)
      return connection.query(query.compile()).map(userOf)
    }),
  }
}

/** More costs than an installation has. */
const MAX_SAMPLES = 64

interface HashSample {
  readonly cost: string
  readonly password_hash: string
}

/** A step to the next cost in the index, however many users have the one before. */
const NEXT_SAMPLE = `
  SELECT ${HASH_COST_SQLITE} AS cost, password_hash FROM users WHERE ${HASH_COST_SQLITE} > ?
  ORDER BY ${HASH_COST_SQLITE} LIMIT 1`

/** Own users have integers; SQLite would take the text '1' for the number 1. */
function isOwnId(id: UserId): id is number {
  return typeof id === 'number'
}

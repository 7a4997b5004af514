/** Tokens on SQLite. */
import type { Kysely } from 'kysely'
import type { NewTokenRecord, TokenFilter, TokenStore } from 'latchkey'
import { bytesOf, type TokenRow, tokenColumns, tokenOf, type UserRow, userIdColumn, userOf } from '../rows.js'
import type { Schema } from '../schema.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { isConstraint } from './store-error.js'

/** The hot look-ups: one statement, by hand. */
const FIND_WITH_USER = `
  SELECT tokens.*, users.* FROM tokens LEFT JOIN users ON users.id = tokens.user_id WHERE tokens.digest = ?`
const FIND_ALONE = `SELECT tokens.* FROM tokens WHERE digest = ?`

/** A row by table, as the driver's `expand()` gives it; a user that is not there is all nulls. */
interface Found {
  readonly tokens: TokenRow
  readonly users?: UserRow | { readonly id: null }
}

export function tokenStore(connection: Connection, kysely: Kysely<Schema>, changes: Changes): TokenStore {
  const { externalUsers } = connection.options
  const tokens = kysely.selectFrom('tokens').selectAll()

  const insert = (fields: NewTokenRecord) => {
    const query = kysely
      .insertInto('tokens')
      .values(tokenColumns(fields))
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .returningAll()
    const [row] = connection.query(query.compile())
    return row ? { token: tokenOf(row), created: true } : null
  }
  const existing = ({ userId, policy }: NewTokenRecord) => {
    const query = tokens.where('user_id', '=', userIdColumn(userId)).where('policy', '=', policy)
    const [row] = connection.query(query.orderBy('id').limit(1).compile())
    return row ? { token: tokenOf(row), created: false } : null
  }
  const publish = (deleted: ReadonlyArray<{ readonly digest: Uint8Array }>) => {
    for (const { digest } of deleted) changes.publish({ kind: 'token', digest: bytesOf(digest) })
    return deleted.length
  }

  return {
    findByDigest: connection.method((digest) => {
      connection.statementCount += 1
      const statement = connection.prepared(externalUsers ? FIND_ALONE : FIND_WITH_USER).expand()
      const found = statement.get(digest) as Found | undefined
      if (!found) return null
      const { tokens: token, users: user } = found
      return { token: tokenOf(token), user: user && user.id !== null ? userOf(user) : null }
    }),
    findById: connection.method((id) => {
      const [row] = connection.query(tokens.where('id', '=', id).compile())
      return row ? tokenOf(row) : null
    }),
    insertOrGet: connection.method((fields) => {
      if (!externalUsers && typeof fields.userId !== 'number') return null
      try {
        if (!fields.onePerUser) return insert(fields)
        // A login that finds its token need not wait for the write lock; one that does not looks again under it.
        return existing(fields) ?? connection.immediate(() => existing(fields) ?? insert(fields))
      } catch (error) {
        if (isConstraint(error, 'FOREIGNKEY')) return null
        throw error
      }
    }),
    delete: connection.method((id) => {
      const query = kysely.deleteFrom('tokens').where('id', '=', id).returning('digest')
      return publish(connection.query(query.compile())) > 0
    }),
    deleteMany: connection.method(({ userId, policy }) => {
      let query = kysely.deleteFrom('tokens').returning('digest')
      if (userId !== undefined) query = query.where('user_id', '=', userIdColumn(userId))
      if (policy !== undefined) query = query.where('policy', '=', policy)
      return publish(connection.query(query.compile()))
    }),
    list: connection.method(({ userId, policy }: TokenFilter, { afterId, limit } = {}) => {
      let query = tokens.orderBy('id')
      if (userId !== undefined) query = query.where('user_id', '=', userIdColumn(userId))
      if (policy !== undefined) query = query.where('policy', '=', policy)
      if (afterId !== undefined) query = query.where('id', '>', afterId)
      if (limit !== undefined) query = query.limit(limit)
      return connection.query(query.compile()).map(tokenOf)
    }),
    reseal: connection.method((id, expected, sealed) => {
      const query = kysely.updateTable('tokens').set({ sealed }).where('id', '=', id)
      return connection.run(query.where('sealed', '=', expected).compile()) === 1
    }),
  }
}

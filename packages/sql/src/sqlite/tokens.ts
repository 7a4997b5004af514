/** Tokens on SQLite. */
import type { Kysely } from 'kysely'
import type { NewTokenRecord, TokenFilter, TokenInsertion, TokenStore } from 'latchkey'
import {
  bytesOf,
  msOf,
  type TokenRow,
  tokenColumns,
  tokenOf,
  type UserRow,
  userIdColumn,
  userOf,
} from '../rows.js'
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

  const insert = (fields: NewTokenRecord): TokenInsertion => {
    const query = kysely
      .insertInto('tokens')
      .values(tokenColumns(fields))
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .returningAll()
    const [row] = connection.query(query.compile())
    return row ? { kind: 'created', token: tokenOf(row) } : { kind: 'digest_taken' }
  }
  const existing = ({ userId, policy }: NewTokenRecord): TokenInsertion | null => {
    const query = tokens.where('user_id', '=', userIdColumn(userId)).where('policy', '=', policy)
    const [row] = connection.query(query.orderBy('id').limit(1).compile())
    return row ? { kind: 'existing', token: tokenOf(row) } : null
  }
  const overLimit = ({ userId, policy, createdAt, limitPerUser }: NewTokenRecord): TokenInsertion | null => {
    if (limitPerUser === null) return null
    const owned = kysely.selectFrom('tokens').select('id').where('user_id', '=', userIdColumn(userId))
    const live = owned.where('policy', '=', policy).where('expires_at', '>', msOf(createdAt))
    const rows = connection.query(live.limit(limitPerUser).compile())
    return rows.length < limitPerUser ? null : { kind: 'limit_reached' }
  }
  const publish = (changed: ReadonlyArray<{ readonly digest: Uint8Array }>) => {
    for (const { digest } of changed) changes.publish({ kind: 'token', digest: bytesOf(digest) })
    return changed.length
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
    insertOrGet: connection.method((fields): TokenInsertion => {
      if (!externalUsers && typeof fields.userId !== 'number') return { kind: 'no_user' }
      const { onePerUser, limitPerUser } = fields
      try {
        if (!onePerUser && limitPerUser === null) return insert(fields)
        // A login that finds its token need not wait for the write lock; one that does not looks again under it.
        const find = () => (onePerUser ? existing(fields) : null)
        return find() ?? connection.immediate(() => find() ?? overLimit(fields) ?? insert(fields))
      } catch (error) {
        if (isConstraint(error, 'FOREIGNKEY')) return { kind: 'no_user' }
        throw error
      }
    }),
    renew: connection.method((id, expected, expiresAt) => {
      const query = kysely
        .updateTable('tokens')
        .set({ expires_at: msOf(expiresAt) })
        .where('id', '=', id)
      const renewed = query.where('expires_at', '=', msOf(expected)).returning('digest')
      return publish(connection.query(renewed.compile())) > 0
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
    deleteExpired: connection.method((now, which) => {
      const expired = kysely.selectFrom('tokens').select('id').where('expires_at', '<=', msOf(now))
      const doomed =
        'id' in which
          ? expired.where('id', '=', which.id)
          : expired.where('id', '>', which.afterId).orderBy('id').limit(which.limit)
      const query = kysely.deleteFrom('tokens').where('id', 'in', doomed).returningAll()
      const deleted = connection.query(query.compile())
      publish(deleted)
      return deleted.map(tokenOf).sort((a, b) => a.id - b.id)
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

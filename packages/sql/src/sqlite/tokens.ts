/** Tokens on SQLite. */
import type { Kysely, WhereInterface } from 'kysely'
import type { AccessBasis, NewTokenRecord, TokenFilter, TokenInsertion, TokenStore } from 'latchkey'
import {
  bytesOf,
  changedTokenColumns,
  msOf,
  type TokenRow,
  tokenColumns,
  tokenOf,
  type UserRow,
  useOf,
  userIdColumn,
  userOf,
} from '../rows.js'
import type { Schema } from '../schema.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { isConstraint } from './store-error.js'

/** The hot look-ups: one statement, by hand. */
const BY_DIGEST = 'tokens.digest = ? OR tokens.previous_digest = ?'
const FIND_WITH_USER = `
  SELECT tokens.*, users.* FROM tokens LEFT JOIN users ON users.id = tokens.user_id WHERE ${BY_DIGEST}`
const FIND_ALONE = `SELECT tokens.* FROM tokens WHERE ${BY_DIGEST}`
/** Uses of tokens that are gone are left out; the later of two times counts, with its address. */
const RECORD_USE = `
  INSERT INTO token_uses (digest, token_id, use_count, last_used_at, last_used_address)
  SELECT ?, id, ?, ?, ? FROM tokens WHERE id = ?
  ON CONFLICT (digest) DO UPDATE SET
    use_count = use_count + excluded.use_count,
    last_used_address = iif(excluded.last_used_at >= last_used_at, excluded.last_used_address, last_used_address),
    last_used_at = max(last_used_at, excluded.last_used_at)`

/** What is told of a token that changed: its secrets. */
const DIGESTS = ['digest', 'previous_digest'] as const

/** A row by table, as the driver's `expand()` gives it; a user that is not there is all nulls. */
interface Found {
  readonly tokens: TokenRow
  readonly users?: UserRow | { readonly id: null }
}

export function tokenStore(
  connection: Connection,
  kysely: Kysely<Schema>,
  changes: Changes,
  access: Access,
): TokenStore {
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
  const publish = (changed: ReadonlyArray<Pick<TokenRow, 'digest' | 'previous_digest'>>) => {
    for (const { digest, previous_digest } of changed) {
      changes.publish({ kind: 'token', digest: bytesOf(digest) })
      if (previous_digest) changes.publish({ kind: 'token', digest: bytesOf(previous_digest) })
    }
    return changed.length
  }
  /** Of secrets that the token has no more. */
  const forgetUses = ({
    id,
    digest,
    previous_digest,
  }: Pick<TokenRow, 'id' | 'digest' | 'previous_digest'>) => {
    const kept = previous_digest === null ? [digest] : [digest, previous_digest]
    const query = kysely.deleteFrom('token_uses').where('token_id', '=', id).where('digest', 'not in', kept)
    connection.run(query.compile())
  }
  const thatFit = <Query extends WhereInterface<Schema, 'tokens'>>(query: Query, filter: TokenFilter) => {
    const { userId, policy, hint } = filter
    let fitting: WhereInterface<Schema, 'tokens'> = query
    if (userId !== undefined) fitting = fitting.where('user_id', 'in', [userId].flat().map(userIdColumn))
    if (policy !== undefined) fitting = fitting.where('policy', '=', policy)
    if (hint !== undefined)
      fitting = fitting.where(({ eb, or }) => or([eb('hint', '=', hint), eb('previous_hint', '=', hint)]))
    // Each `where` gives the builder that it was called on, narrowed.
    return fitting as Query
  }

  return {
    findByDigest: connection.method((digest) => {
      connection.statementCount += 1
      const statement = connection.prepared(externalUsers ? FIND_ALONE : FIND_WITH_USER).expand()
      const found = statement.get(digest, digest) as Found | undefined
      if (!found) return null
      const { tokens: row, users: user } = found
      const { sealed, ...token } = tokenOf(row)
      return { token, user: user && user.id !== null ? userOf(user) : null }
    }),
    findById: connection.method((id) => {
      const [row] = connection.query(tokens.where('id', '=', id).compile())
      return row ? tokenOf(row) : null
    }),
    insertOrGet: connection.method((fields: NewTokenRecord, basis?: AccessBasis): TokenInsertion => {
      if (!externalUsers && typeof fields.userId !== 'number') return { kind: 'no_user' }
      const { onePerUser, limitPerUser } = fields
      try {
        if (!onePerUser && limitPerUser === null && basis === undefined) return insert(fields)
        // A login that finds its token need not wait for the write lock; one that does not looks again under it.
        const stale = (): TokenInsertion | null => (access.holds(basis) ? null : { kind: 'stale' })
        const find = () => stale() ?? (onePerUser ? existing(fields) : null)
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
      const renewed = query.where('expires_at', '=', msOf(expected)).returning(DIGESTS)
      return publish(connection.query(renewed.compile())) > 0
    }),
    update: connection.method((id, changed) => {
      const columns = changedTokenColumns(changed)
      if (Object.keys(columns).length === 0)
        return connection.query(tokens.where('id', '=', id).compile()).length > 0
      const query = kysely.updateTable('tokens').set(columns).where('id', '=', id).returning(DIGESTS)
      return publish(connection.query(query.compile())) > 0
    }),
    rotate: connection.method((id, { expected, digest, hint, sealed, expiresAt, previousEndsAt }) => {
      const rotated = connection.immediate(() => {
        const current = tokens.where('id', '=', id).where('digest', '=', expected)
        const [before] = connection.query(current.compile())
        if (before === undefined) return null
        const query = kysely.updateTable('tokens').set({
          digest,
          hint,
          sealed,
          ...(expiresAt !== undefined && { expires_at: expiresAt && msOf(expiresAt) }),
          previous_digest: before.digest,
          previous_hint: before.hint,
          previous_ends_at: msOf(previousEndsAt),
        })
        const [after] = connection.query(query.where('id', '=', id).returningAll().compile())
        if (after === undefined) return null
        forgetUses(after)
        return { before, after }
      })
      if (rotated === null) return null
      publish([rotated.before])
      return tokenOf(rotated.after)
    }),
    dropPrevious: connection.method((id, digest) => {
      const held = tokens.where('id', '=', id).where('previous_digest', '=', digest)
      const none = { previous_digest: null, previous_hint: null, previous_ends_at: null }
      const dropped = connection.immediate(() => {
        const rows = connection.query(held.compile())
        for (const row of rows) {
          connection.run(kysely.updateTable('tokens').set(none).where('id', '=', id).compile())
          forgetUses({ ...row, ...none })
        }
        return rows
      })
      return publish(dropped) > 0
    }),
    recordUses: connection.method((uses) => {
      connection.relaxed(() =>
        connection.immediate(() => {
          for (const { digest, tokenId, count, lastUsedAt, lastUsedAddress } of uses) {
            const parameters = [digest, count, msOf(lastUsedAt), lastUsedAddress, tokenId]
            connection.run({ sql: RECORD_USE, parameters })
          }
        }),
      )
    }),
    listUses: connection.method((tokenIds) => {
      const query = kysely
        .selectFrom('token_uses')
        .selectAll()
        .where('token_id', 'in', [...tokenIds])
      return tokenIds.length === 0 ? [] : connection.query(query.compile()).map(useOf)
    }),
    delete: connection.method((id) => {
      const query = kysely.deleteFrom('tokens').where('id', '=', id).returning(DIGESTS)
      return publish(connection.query(query.compile())) > 0
    }),
    deleteMany: connection.method((filter) => {
      const query = thatFit(kysely.deleteFrom('tokens').returning(DIGESTS), filter).compile()
      const deleted = connection.immediate(() => {
        if (filter.hint === undefined) {
          if (filter.userId === undefined) access.narrowEverybody()
          else for (const id of [filter.userId].flat()) access.narrow(id)
        }
        return connection.query<Pick<TokenRow, 'digest' | 'previous_digest'>>(query)
      })
      return publish(deleted)
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
    list: connection.method((filter: TokenFilter, { afterId, limit } = {}) => {
      let query = thatFit(tokens.orderBy('id'), filter)
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

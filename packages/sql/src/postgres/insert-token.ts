/** How a token comes into the table, within the rules of its policy and against every race. */
import type { WhereInterface } from 'kysely'
import type { AccessBasis, NewTokenRecord, TokenInsertion, UserId } from 'latchkey'
import { msOf } from '../rows.js'
import type { Access } from './access.js'
import type { Connection } from './connection.js'
import { queriesOf } from './queries.js'
import { isRowId, newTokenColumns, ownerColumns, type PostgresSchema, tokenRecord } from './rows.js'
import type { Runner } from './statements.js'
import { isConstraint } from './store-error.js'

/** The tokens of one user, or of several ids. */
export function ofUser<Query extends WhereInterface<PostgresSchema, 'tokens'>>(
  query: Query,
  userId: UserId | readonly UserId[],
  externalUsers: boolean,
): Query {
  const owners = [userId].flat().map((id) => ownerColumns(id, externalUsers))
  const column = externalUsers ? 'external_user' : 'user_id'
  // Each `where` gives the builder that it was called on, narrowed.
  return query.where(
    column,
    'in',
    owners.map((owner) => owner[column]),
  ) as Query
}

/** See `TokenStore.insertOrGet`. */
export function tokenInsertion(
  connection: Connection,
  access: Access,
): (fields: NewTokenRecord, basis?: AccessBasis) => Promise<TokenInsertion> {
  const { externalUsers, schema } = connection.options
  const kysely = queriesOf(schema)
  const tokens = kysely.selectFrom('tokens').selectAll()

  const insert = async (fields: NewTokenRecord, runner?: Runner): Promise<TokenInsertion> => {
    const query = kysely
      .insertInto('tokens')
      .values(newTokenColumns(fields, externalUsers))
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .returningAll()
    const [row] = await connection.query(query.compile(), runner)
    return row ? { kind: 'created', token: tokenRecord(row) } : { kind: 'digest_taken' }
  }
  const existing = async (fields: NewTokenRecord, runner?: Runner): Promise<TokenInsertion | null> => {
    if (!fields.onePerUser) return null
    const owned = ofUser(tokens, fields.userId, externalUsers).where('policy', '=', fields.policy)
    const [row] = await connection.query(owned.orderBy('id').limit(1).compile(), runner)
    return row ? { kind: 'existing', token: tokenRecord(row) } : null
  }
  const overLimit = async (fields: NewTokenRecord, runner: Runner): Promise<TokenInsertion | null> => {
    const { userId, policy, createdAt, limitPerUser } = fields
    if (limitPerUser === null) return null
    const live = ofUser(kysely.selectFrom('tokens').select('id'), userId, externalUsers)
      .where('policy', '=', policy)
      .where('expires_at', '>', msOf(createdAt))
    const rows = await connection.query(live.limit(limitPerUser).compile(), runner)
    return rows.length < limitPerUser ? null : { kind: 'limit_reached' }
  }

  const staleNow = async (basis: AccessBasis | undefined): Promise<TokenInsertion | null> => {
    if (basis === undefined || (await access.version(basis.userId)) === basis.version) return null
    return STALE
  }

  return async (fields, basis) => {
    const { onePerUser, limitPerUser, userId, policy } = fields
    if (!externalUsers && !isRowId(userId)) return { kind: 'no_user' }
    try {
      if (!onePerUser && limitPerUser === null && basis === undefined) return await insert(fields)
      const early = await existing(fields)
      // The version is read after it: what is shown was there, and access was not narrowed by then.
      if (early) return (await staleNow(basis)) ?? early
      // Under a lock for this user and policy: what is counted here stays true until the insertion.
      const { result } = await connection.transaction(
        async (transaction): Promise<TokenInsertion> =>
          ((await access.hold(basis, transaction)) ? null : STALE) ??
          (await existing(fields, transaction)) ??
          (await overLimit(fields, transaction)) ??
          (await insert(fields, transaction)),
        { lock: `tokens ${JSON.stringify([userId, policy])}` },
      )
      return result
    } catch (error) {
      if (isConstraint(error, 'FOREIGNKEY')) return { kind: 'no_user' }
      throw error
    }
  }
}

const STALE: TokenInsertion = Object.freeze({ kind: 'stale' })

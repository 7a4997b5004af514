/** How a token comes into the table, within the rules of its policy and against every race. */
import type { WhereInterface } from 'kysely'
import type { NewTokenRecord, TokenInsertion, UserId } from 'latchkey'
import { msOf } from '../rows.js'
import type { Connection } from './connection.js'
import { queriesOf } from './queries.js'
import { isRowId, newTokenColumns, ownerColumns, type PostgresSchema, tokenRecord } from './rows.js'
import type { Runner } from './statements.js'
import { isConstraint } from './store-error.js'

/** The tokens of one user. */
export function ofUser<Query extends WhereInterface<PostgresSchema, 'tokens'>>(
  query: Query,
  userId: UserId,
  externalUsers: boolean,
): Query {
  const { user_id, external_user } = ownerColumns(userId, externalUsers)
  // Each `where` gives the builder that it was called on, narrowed.
  if (externalUsers) return query.where('external_user', '=', external_user) as Query
  return query.where('user_id', '=', user_id) as Query
}

/** See `TokenStore.insertOrGet`. */
export function tokenInsertion(connection: Connection): (fields: NewTokenRecord) => Promise<TokenInsertion> {
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

  return async (fields) => {
    const { onePerUser, limitPerUser, userId, policy } = fields
    if (!externalUsers && !isRowId(userId)) return { kind: 'no_user' }
    try {
      if (!onePerUser && limitPerUser === null) return await insert(fields)
      const early = await existing(fields)
      if (early) return early
      // Under a lock for this user and policy: what is counted here stays true until the insertion.
      const { result } = await connection.transaction(
        async (transaction) =>
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

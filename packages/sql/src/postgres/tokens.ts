/** Tokens on PostgreSQL. */
import { sql, type WhereInterface } from 'kysely'
import type { Change, TokenFilter, TokenStore } from 'latchkey'
import { changedTokenColumns, msOf, useOf } from '../rows.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { type FoundRow, findToken, foundOf, SECRETS } from './find-token.js'
import { ofUser, tokenInsertion } from './insert-token.js'
import { queriesOf, XID } from './queries.js'
import type { Replica } from './replica.js'
import { isRowId, type PostgresSchema, type PostgresTokenRow, rowId, tokenRecord } from './rows.js'
import type { Runner } from './statements.js'
import { recordUses } from './token-uses.js'

type Secrets = Pick<PostgresTokenRow, 'digest' | 'previous_digest'>

/** What is told of a token that changed: its secrets. */
const DIGESTS = ['digest', 'previous_digest'] as const

export function tokenStore(
  connection: Connection,
  changes: Changes,
  replica: Replica | null,
  access: Access,
): TokenStore {
  const { externalUsers, schema } = connection.options
  const kysely = queriesOf(schema)
  const tokens = kysely.selectFrom('tokens').selectAll()
  const find = findToken(schema, externalUsers)

  const publish = (xid: string | null, changed: readonly Secrets[]) => {
    changes.publish(xid, changed.flatMap(secretsOf))
    return changed.length
  }
  const publishRows = (rows: ReadonlyArray<Secrets & { readonly xid: string }>) =>
    publish(rows[0]?.xid ?? null, rows)

  /** Of secrets that the token has no more. */
  const forgetUses = (
    row: { readonly id: number; readonly digest: Uint8Array; readonly previous_digest: Uint8Array | null },
    transaction: Runner,
  ) => {
    const kept = row.previous_digest === null ? [row.digest] : [row.digest, row.previous_digest]
    const query = kysely
      .deleteFrom('token_uses')
      .where('token_id', '=', row.id)
      .where('digest', 'not in', kept)
    return connection.run(query.compile(), transaction)
  }
  const thatFit = <Query extends WhereInterface<PostgresSchema, 'tokens'>>(
    query: Query,
    filter: TokenFilter,
  ) => {
    const { userId, policy, hint } = filter
    let fitting: WhereInterface<PostgresSchema, 'tokens'> =
      userId === undefined ? query : ofUser(query, userId, externalUsers)
    if (policy !== undefined) fitting = fitting.where('policy', '=', policy)
    if (hint !== undefined)
      fitting = fitting.where(({ eb, or }) => or([eb('hint', '=', hint), eb('previous_hint', '=', hint)]))
    return fitting as Query
  }

  return {
    findByDigest: connection.method(async (digest) => {
      const onReplica = await replica?.find<FoundRow>(find.digest.brief(digest))
      if (onReplica) {
        connection.statementCount += 1
        // What it does not have it may not have yet.
        const found = foundOf(onReplica)
        if (found !== null) return found
      }
      for (const secret of SECRETS) {
        const rows = await connection.all<FoundRow>(find[secret].brief(digest))
        const found = foundOf(rows)
        if (found !== null) return found
        if (rows.length === 0) continue
        const long = foundOf(await connection.all<FoundRow>(find[secret].long(digest)))
        if (long !== null) return long
      }
      return null
    }),
    findById: connection.method(async (id) => {
      const [row] = await connection.query(tokens.where('id', '=', rowId(id)).compile())
      return row ? tokenRecord(row) : null
    }),
    insertOrGet: connection.method(tokenInsertion(connection, access)),
    renew: connection.method(async (id, expected, expiresAt) => {
      const query = kysely
        .updateTable('tokens')
        .set({ expires_at: msOf(expiresAt) })
        .where('id', '=', rowId(id))
        .where('expires_at', '=', msOf(expected))
      return publishRows(await connection.query(query.returning([...DIGESTS, XID]).compile())) > 0
    }),
    update: connection.method(async (id, changed) => {
      const columns = changedTokenColumns(changed)
      if (Object.keys(columns).length === 0)
        return (await connection.query(tokens.where('id', '=', rowId(id)).compile())).length > 0
      const query = kysely.updateTable('tokens').set(columns).where('id', '=', rowId(id))
      return publishRows(await connection.query(query.returning([...DIGESTS, XID]).compile())) > 0
    }),
    rotate: connection.method(async (id, { expected, digest, hint, sealed, expiresAt, previousEndsAt }) => {
      const { result, xid } = await connection.transaction(async (transaction) => {
        const current = tokens.where('id', '=', rowId(id)).where('digest', '=', expected).forUpdate()
        const [before] = await connection.query(current.compile(), transaction)
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
        const rotated = query.where('id', '=', before.id).returningAll()
        const [after] = await connection.query(rotated.compile(), transaction)
        if (after === undefined) return null
        await forgetUses(after, transaction)
        return { before, after }
      })
      if (result === null) return null
      publish(xid, [result.before])
      return tokenRecord(result.after)
    }),
    dropPrevious: connection.method(async (id, digest) => {
      const held = tokens.where('id', '=', rowId(id)).where('previous_digest', '=', digest).forUpdate()
      const none = { previous_digest: null, previous_hint: null, previous_ends_at: null }
      const { result, xid } = await connection.transaction(async (transaction) => {
        const rows = await connection.query(held.compile(), transaction)
        for (const row of rows) {
          const query = kysely.updateTable('tokens').set(none).where('id', '=', row.id)
          await connection.run(query.compile(), transaction)
          await forgetUses({ ...row, ...none }, transaction)
        }
        return rows
      })
      return publish(xid, result) > 0
    }),
    recordUses: connection.method((uses) => recordUses(connection, uses)),
    listUses: connection.method(async (tokenIds) => {
      const ids = tokenIds.filter(isRowId)
      if (ids.length === 0) return []
      const query = kysely.selectFrom('token_uses').selectAll().where('token_id', 'in', ids)
      return (await connection.query(query.compile())).map(useOf)
    }),
    delete: connection.method(async (id) => {
      const query = kysely
        .deleteFrom('tokens')
        .where('id', '=', rowId(id))
        .returning([...DIGESTS, XID])
      return publishRows(await connection.query(query.compile())) > 0
    }),
    deleteMany: connection.method(async (filter) => {
      const query = thatFit(kysely.deleteFrom('tokens').returning([...DIGESTS, XID]), filter)
      if (filter.hint !== undefined) return publishRows(await connection.query(query.compile()))
      const { userId } = filter
      const { result } = await connection.transaction(async (transaction) => {
        if (userId === undefined) await access.narrowEverybody(transaction)
        else for (const id of new Set([userId].flat().sort())) await access.narrow(id, transaction)
        return connection.query(query.compile(), transaction)
      })
      return publishRows(result)
    }),
    deleteExpired: connection.method(async (now, which) => {
      const expired = kysely.selectFrom('tokens').select('id').where('expires_at', '<=', msOf(now))
      const doomed =
        'id' in which
          ? expired.where('id', '=', rowId(which.id))
          : expired.where('id', '>', rowId(which.afterId)).orderBy('id').limit(which.limit)
      // One that somebody works with is not waited for: it is left to the next time. As an array, of which the planner
      // cannot think that it is long: each is looked up, and never are all tokens of every partition read.
      const query = kysely
        .deleteFrom('tokens')
        .where('id', '=', sql<number>`any(array(${doomed.forUpdate().skipLocked()}))`)
        .returningAll()
        .returning(XID)
      const deleted = await connection.query(query.compile())
      publishRows(deleted)
      return deleted.map(tokenRecord).sort((a, b) => a.id - b.id)
    }),
    list: connection.method(async (filter: TokenFilter, { afterId, limit } = {}) => {
      let query = thatFit(tokens.orderBy('id'), filter)
      if (afterId !== undefined) query = query.where('id', '>', rowId(afterId))
      if (limit !== undefined) query = query.limit(limit)
      return (await connection.query(query.compile())).map(tokenRecord)
    }),
    reseal: connection.method(async (id, expected, sealed) => {
      const query = kysely.updateTable('tokens').set({ sealed }).where('id', '=', rowId(id))
      return (await connection.run(query.where('sealed', '=', expected).compile())) === 1
    }),
  }
}

function secretsOf({ digest, previous_digest }: Secrets): readonly Change[] {
  const secrets = previous_digest === null ? [digest] : [digest, previous_digest]
  return secrets.map((secret) => ({ kind: 'token', digest: secret }))
}

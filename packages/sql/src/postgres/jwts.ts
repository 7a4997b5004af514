/** JWT records on PostgreSQL. */
import { sql } from 'kysely'
import {
  type AccessBasis,
  canonicalUserId,
  type JwtRotation,
  type JwtRotationOutcome,
  type JwtState,
  type JwtStore,
  type NewJwtRecord,
  type UserId,
} from 'latchkey'
import { familyStartOf, msOf } from '../rows.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { deleteExpiredRows } from './expired.js'
import { queriesOf } from './queries.js'
import type { Replica } from './replica.js'
import { anybody, everySpelling, jwtRecord, newJwtColumns } from './rows.js'
import type { Runner } from './statements.js'

type Ended = ReadonlyArray<{ readonly jti: string }>

interface Rotated {
  readonly outcome: JwtRotationOutcome
  readonly ended: Ended
}

interface StateRow {
  readonly ended: number | null
  readonly not_before: number | null
}

/**
 * What is added to a user's tokens, and what ends them all, is done one after the other: a successor that is being
 * inserted is not visible yet to whoever ends its family.
 */
const lockOf = (userId: UserId) => ({ lock: `jwts ${anybody(canonicalUserId(userId))}` })

export function jwtStore(
  connection: Connection,
  changes: Changes,
  replica: Replica | null,
  access: Access,
): JwtStore {
  const { schema } = connection.options
  const kysely = queriesOf(schema)
  const live = kysely.updateTable('jwts').where('ended_at', 'is', null)
  const state = {
    name: `${schema}.jwt_state`,
    sql: `SELECT (SELECT ended_at IS NOT NULL FROM "${schema}".jwts WHERE jti = $1) AS ended,
      (SELECT max(not_before) FROM "${schema}".jwt_users WHERE user_id IN ($2, $3)) AS not_before`,
    isLookUp: true,
  }

  const insert = async (records: readonly NewJwtRecord[], runner?: Runner) => {
    if (records.length === 0) return
    const query = kysely.insertInto('jwts').values(records.map(newJwtColumns))
    const kept = query.onConflict((conflict) =>
      conflict
        .column('jti')
        .doUpdateSet(({ ref }) => ({ expires_at: ref('excluded.expires_at') }))
        .whereRef('jwts.expires_at', '<', 'excluded.expires_at'),
    )
    await connection.run(kept.compile(), runner)
  }
  const find = async (jti: string, runner?: Runner) => {
    const query = kysely.selectFrom('jwts').selectAll().where('jti', '=', jti)
    const [row] = await connection.query(query.compile(), runner)
    return row ? jwtRecord(row) : null
  }
  /** Puts the successor in the place of the presented token, if that is live. */
  const exchange = async ({ presented, successor, now }: JwtRotation, runner: Runner): Promise<Ended> => {
    const end = live
      .set({ ended_at: msOf(now), successor_jti: successor.jti })
      .where('jti', '=', presented.jti)
    const columns = ['jti', 'family', 'issued_at', 'family_started_at'] as const
    const [ended] = await connection.query(end.returning(columns).compile(), runner)
    if (ended === undefined) return []
    await insert([{ ...successor, family: ended.family, familyStartedAt: familyStartOf(ended) }], runner)
    return [ended]
  }
  /** Everything of the user was revoked at this moment or after it. */
  const isRevokedSince = async (userId: UserId, ms: number, runner: Runner) => {
    const query = kysely.selectFrom('jwt_users').select('user_id')
    const since = query.where('user_id', 'in', everySpelling(userId)).where('not_before', '>=', ms)
    return (await connection.query(since.compile(), runner)).length > 0
  }
  /** A member of the family was ended without a successor: what it had come to has ended. */
  const hasEnded = async (family: string, runner: Runner) => {
    const query = kysely.selectFrom('jwts').select('jti').where('family', '=', family)
    const revoked = query.where('ended_at', 'is not', null).where('successor_jti', 'is', null).limit(1)
    return (await connection.query(revoked.compile(), runner)).length > 0
  }
  const publish = (xid: string | null, ended: Ended) => {
    changes.publish(
      xid,
      ended.map(({ jti }) => ({ kind: 'jwt', jti })),
    )
    return ended.length
  }

  return {
    insert: connection.method(async (records: readonly NewJwtRecord[], basis?: AccessBasis) => {
      if (basis === undefined) {
        await insert(records)
        return true
      }
      const { result } = await connection.transaction(async (transaction) => {
        if (!(await access.hold(basis, transaction))) return false
        await insert(records, transaction)
        return true
      })
      return result
    }),
    find: connection.method((jti) => find(jti)),
    familyStart: connection.method(async (jti) => {
      const query = kysely
        .selectFrom('jwts')
        .select(['issued_at', 'family_started_at'])
        .where('jti', '=', jti)
      const [row] = await connection.query(query.compile())
      return row ? familyStartOf(row) : null
    }),
    list: connection.method(async ({ userId }, { afterJti, limit } = {}) => {
      let query = kysely.selectFrom('jwts').selectAll().orderBy('jti')
      if (userId !== undefined) query = query.where('user_id', 'in', everySpelling(userId))
      if (afterJti !== undefined) query = query.where('jti', '>', afterJti)
      if (limit !== undefined) query = query.limit(limit)
      return (await connection.query(query.compile())).map(jwtRecord)
    }),
    rotate: connection.method(async (rotation: JwtRotation, basis?: AccessBasis) => {
      const { presented, now, graceSeconds } = rotation
      const { result, xid } = await connection.transaction(async (transaction): Promise<Rotated> => {
        if (!(await access.hold(basis, transaction))) return { outcome: { kind: 'stale' }, ended: [] }
        let ended = await exchange(rotation, transaction)
        if (ended.length === 0) {
          // Not known yet, perhaps: then it is live from now on, unless everything of its user was revoked since.
          const isRevoked = await isRevokedSince(presented.userId, msOf(presented.issuedAt), transaction)
          if (isRevoked && (await find(presented.jti, transaction)) === null)
            return { outcome: { kind: 'ended' } as const, ended }
          await insert([presented], transaction)
          ended = await exchange(rotation, transaction)
        }
        if (ended.length > 0) return { outcome: { kind: 'rotated' } as const, ended }
        const record = await find(presented.jti, transaction)
        if (!record?.endedAt || record.successorJti === null)
          return { outcome: { kind: 'ended' } as const, ended }
        const { endedAt, successorJti, family } = record
        if (now.getTime() - endedAt.getTime() < graceSeconds * 1000) {
          if (
            (await isRevokedSince(record.userId, msOf(endedAt) + 1, transaction)) ||
            (await hasEnded(family, transaction))
          )
            return { outcome: { kind: 'ended' } as const, ended }
          return { outcome: { kind: 'repeated', successorJti, issuedAt: endedAt } as const, ended }
        }
        const end = live
          .set({ ended_at: msOf(now) })
          .where('family', '=', family)
          .returning('jti')
        return {
          outcome: { kind: 'reused' } as const,
          ended: await connection.query(end.compile(), transaction),
        }
      }, lockOf(presented.userId))
      publish(xid, result.ended)
      return result.outcome
    }),
    revoke: connection.method(async (record, now) => {
      const { result, xid } = await connection.transaction(async (transaction) => {
        await insert([record], transaction)
        const end = live
          .set({ ended_at: msOf(now) })
          .where('jti', '=', record.jti)
          .returning('jti')
        return connection.query(end.compile(), transaction)
      })
      return publish(xid, result) > 0
    }),
    revokeUser: connection.method(async (userId, now) => {
      const values = { user_id: anybody(userId), not_before: msOf(now) }
      const { xid } = await connection.transaction(async (transaction) => {
        await access.narrow(userId, transaction)
        const end = live.set({ ended_at: msOf(now) }).where('user_id', 'in', everySpelling(userId))
        await connection.run(end.compile(), transaction)
        const query = kysely.insertInto('jwt_users').values(values)
        const set = query.onConflict((conflict) =>
          conflict.column('user_id').doUpdateSet(({ ref }) => ({
            not_before: sql`greatest(${ref('jwt_users.not_before')}, ${ref('excluded.not_before')})`,
          })),
        )
        await connection.run(set.compile(), transaction)
      }, lockOf(userId))
      changes.publish(xid, [{ kind: 'user', userId }])
    }),
    state: connection.method(async (jti, userId): Promise<JwtState> => {
      const [first, second = first] = everySpelling(userId)
      const statement = { ...state, parameters: [jti, first, second] }
      connection.statementCount += 1
      const [early] = (await replica?.find<StateRow>(statement)) ?? []
      // A replica may not know a token yet that is live although others of the user have ended.
      const isEnough = early !== undefined && (early.ended !== null || early.not_before === null)
      const [row] = isEnough ? [early] : (await connection.database.run<StateRow>(statement)).rows
      const { ended = null, not_before: notBefore = null } = row ?? {}
      return {
        known: ended === null ? null : ended === 1 ? 'ended' : 'live',
        notBefore: notBefore === null ? null : new Date(notBefore),
      }
    }),
    deleteExpired: connection.method((now) => deleteExpiredRows(connection, 'jwts', 'jti', msOf(now))),
  }
}

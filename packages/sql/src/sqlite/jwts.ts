/** JWT records on SQLite. */
import { type Kysely, sql } from 'kysely'
import type {
  AccessBasis,
  JwtRotation,
  JwtRotationOutcome,
  JwtState,
  JwtStore,
  NewJwtRecord,
  UserId,
} from 'latchkey'
import { familyStartOf, jwtColumns, jwtOf, msOf, userIdColumn, userIdColumns } from '../rows.js'
import type { JwtsTable, Schema } from '../schema.js'
import type { Access } from './access.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'

/** Decides about a presented token: one statement, by hand. */
const STATE = `
  SELECT (SELECT ended_at IS NOT NULL FROM jwts WHERE jti = ?) AS ended,
         (SELECT max(not_before) FROM jwt_users WHERE user_id IN (?, ?)) AS not_before`

/** Whether what a token was exchanged for has ended since: its family, or everything of its user. */
const IS_REVOKED = `
  SELECT EXISTS (SELECT 1 FROM jwts WHERE family = ? AND ended_at IS NOT NULL AND successor_jti IS NULL)
      OR EXISTS (SELECT 1 FROM jwt_users WHERE user_id IN (?, ?) AND not_before > ?) AS revoked`

/** Whether a token that nobody noted was issued before everything of its user was revoked. */
const IS_REFUSED = `
  SELECT NOT EXISTS (SELECT 1 FROM jwts WHERE jti = ?)
     AND EXISTS (SELECT 1 FROM jwt_users WHERE user_id IN (?, ?) AND not_before >= ?) AS revoked`

export function jwtStore(
  connection: Connection,
  kysely: Kysely<Schema>,
  changes: Changes,
  access: Access,
): JwtStore {
  const insert = (record: NewJwtRecord) => {
    const query = kysely.insertInto('jwts').values(jwtColumns(record))
    const kept = query.onConflict((conflict) =>
      conflict
        .column('jti')
        .doUpdateSet({ expires_at: msOf(record.expiresAt) })
        .where('jwts.expires_at', '<', msOf(record.expiresAt)),
    )
    connection.run(kept.compile())
  }
  const rowOf = (jti: string) =>
    connection.query(kysely.selectFrom('jwts').selectAll().where('jti', '=', jti).compile())[0]
  const find = (jti: string) => {
    const row = rowOf(jti)
    return row ? jwtOf(row) : null
  }
  const familyStart = (jti: string) => {
    const row = rowOf(jti)
    return row ? familyStartOf(row) : null
  }
  const isTrue = (sql: string, key: string, userId: UserId, moment: Date) => {
    const [row] = connection.all<{ revoked: number }>(sql, key, ...twoSpellings(userId), msOf(moment))
    return row?.revoked === 1
  }
  /** Ends what is live and fits; returns what to publish once it is durable. */
  const end = (
    now: Date,
    column: keyof JwtsTable,
    values: ReadonlyArray<string | bigint | number>,
    successorJti: string | null = null,
  ) =>
    connection.query(
      kysely
        .updateTable('jwts')
        .set({ ended_at: msOf(now), successor_jti: successorJti })
        .where(column, 'in', values)
        .where('ended_at', 'is', null)
        .returning('jti')
        .compile(),
    )
  const publish = (ended: ReadonlyArray<{ readonly jti: string }>) => {
    for (const { jti } of ended) changes.publish({ kind: 'jwt', jti })
    return ended.length
  }

  return {
    insert: connection.method((records: readonly NewJwtRecord[], basis?: AccessBasis) =>
      connection.immediate(() => {
        if (!access.holds(basis)) return false
        for (const record of records) insert(record)
        return true
      }),
    ),
    find: connection.method(find),
    familyStart: connection.method(familyStart),
    list: connection.method(({ userId }, { afterJti, limit } = {}) => {
      let query = kysely.selectFrom('jwts').selectAll().orderBy('jti')
      if (userId !== undefined) query = query.where('user_id', 'in', userIdColumns(userId))
      if (afterJti !== undefined) query = query.where('jti', '>', afterJti)
      if (limit !== undefined) query = query.limit(limit)
      return connection.query(query.compile()).map(jwtOf)
    }),
    rotate: connection.method((rotation: JwtRotation, basis?: AccessBasis) => {
      const { presented, successor, now, graceSeconds } = rotation
      let ended: ReadonlyArray<{ readonly jti: string }> = []
      const outcome = connection.immediate((): JwtRotationOutcome => {
        if (!access.holds(basis)) return { kind: 'stale' }
        if (isTrue(IS_REFUSED, presented.jti, presented.userId, presented.issuedAt)) return { kind: 'ended' }
        insert(presented)
        const record = find(presented.jti)
        if (record === null || (record.endedAt !== null && record.successorJti === null))
          return { kind: 'ended' }
        const { endedAt, successorJti, family } = record
        if (endedAt === null || successorJti === null) {
          ended = end(now, 'jti', [presented.jti], successor.jti)
          insert({ ...successor, family, familyStartedAt: familyStart(presented.jti) ?? record.issuedAt })
          return { kind: 'rotated' }
        }
        if (now.getTime() - endedAt.getTime() < graceSeconds * 1000) {
          if (isTrue(IS_REVOKED, family, record.userId, endedAt)) return { kind: 'ended' }
          return { kind: 'repeated', successorJti, issuedAt: endedAt }
        }
        ended = end(now, 'family', [family])
        return { kind: 'reused' }
      })
      publish(ended)
      return outcome
    }),
    revoke: connection.method((record, now) => {
      const ended = connection.immediate(() => {
        insert(record)
        return end(now, 'jti', [record.jti])
      })
      return publish(ended) > 0
    }),
    revokeUser: connection.method((userId, now) => {
      const id = userIdColumn(userId)
      const values = { user_id: id, not_before: msOf(now) }
      const query = kysely.insertInto('jwt_users').values(values)
      connection.immediate(() => {
        end(now, 'user_id', userIdColumns(userId))
        access.narrow(userId)
        connection.run(
          query
            .onConflict((conflict) =>
              conflict.column('user_id').doUpdateSet({ not_before: sql`max(not_before, ${msOf(now)})` }),
            )
            .compile(),
        )
      })
      changes.publish({ kind: 'user', userId })
    }),
    state: connection.method((jti, userId): JwtState => {
      const [row] = connection.all<{ ended: number | null; not_before: number | null }>(
        STATE,
        jti,
        ...twoSpellings(userId),
      )
      const { ended = null, not_before: notBefore = null } = row ?? {}
      return {
        known: ended === null ? null : ended === 1 ? 'ended' : 'live',
        notBefore: notBefore === null ? null : new Date(notBefore),
      }
    }),
    deleteExpired: connection.method((now) =>
      connection.run(kysely.deleteFrom('jwts').where('expires_at', '<', msOf(now)).compile()),
    ),
  }
}

/** Of an id that has one spelling it twice, so that one statement fits all. */
function twoSpellings(userId: UserId): ReadonlyArray<UserId | bigint> {
  const [first = '', second = first] = userIdColumns(userId)
  return [first, second]
}

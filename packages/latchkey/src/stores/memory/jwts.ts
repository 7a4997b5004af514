/** The memory store's JWT records. */
import { canonicalUserId, isSameUserId, type UserId } from '../../identity.js'
import type {
  AccessBasis,
  JwtRecord,
  JwtRotation,
  JwtRotationOutcome,
  JwtStore,
  NewJwtRecord,
} from '../store.js'
import { holds, narrowAccess } from './access.js'
import { copyJwt, copyOf } from './copies.js'
import { methodsOf, publish, type Tables } from './tables.js'

export function jwtStore(tables: Tables): JwtStore {
  const method = methodsOf(tables)
  const records = new Map<string, JwtRecord>()
  /** By `jti`, where the token is not of the login itself. */
  const familyStarts = new Map<string, Date>()
  /** By the canonical id of the user. */
  const notBefore = new Map<UserId, Date>()
  const insert = (record: NewJwtRecord) => {
    const known = records.get(record.jti)
    if (!known && record.familyStartedAt) familyStarts.set(record.jti, new Date(record.familyStartedAt))
    const expiresAt = known && known.expiresAt > record.expiresAt ? known.expiresAt : record.expiresAt
    records.set(
      record.jti,
      copyJwt({ ...(known ?? { ...record, endedAt: null, successorJti: null }), expiresAt }),
    )
  }
  const end = (record: JwtRecord, now: Date, successorJti: string | null = null) => {
    records.set(record.jti, copyJwt({ ...record, endedAt: now, successorJti }))
    publish(tables, { kind: 'jwt', jti: record.jti })
  }
  const endAll = (now: Date, doomed: (record: JwtRecord) => boolean) => {
    for (const record of [...records.values()])
      if (record.endedAt === null && doomed(record)) end(record, now)
  }
  /** Everything of the user was revoked at this moment or after it. */
  const isRevokedSince = (userId: UserId, ms: number) =>
    (notBefore.get(canonicalUserId(userId))?.getTime() ?? -Infinity) >= ms
  return {
    insert: method((fresh: readonly NewJwtRecord[], basis?: AccessBasis) => {
      if (!holds(tables, basis)) return false
      for (const record of fresh) insert(record)
      return true
    }),
    find: method((jti) => copyOf(records.get(jti), copyJwt)),
    familyStart: method((jti) => {
      const start = familyStarts.get(jti) ?? records.get(jti)?.issuedAt
      return start === undefined ? null : new Date(start)
    }),
    list: method(({ userId }, { afterJti, limit = Number.POSITIVE_INFINITY } = {}) =>
      [...records.values()]
        .filter((record) => userId === undefined || isSameUserId(record.userId, userId))
        .filter(({ jti }) => afterJti === undefined || jti > afterJti)
        .sort((a, b) => (a.jti < b.jti ? -1 : 1))
        .slice(0, limit)
        .map(copyJwt),
    ),
    rotate: method((rotation: JwtRotation, basis?: AccessBasis): JwtRotationOutcome => {
      const { presented, successor, now, graceSeconds } = rotation
      if (!holds(tables, basis)) return { kind: 'stale' }
      const isKnown = records.has(presented.jti)
      if (!isKnown && isRevokedSince(presented.userId, presented.issuedAt.getTime())) return { kind: 'ended' }
      insert(presented)
      const record = records.get(presented.jti)
      if (record === undefined || (record.endedAt !== null && record.successorJti === null))
        return { kind: 'ended' }
      const { endedAt, successorJti, family } = record
      if (endedAt === null || successorJti === null) {
        end(record, now, successor.jti)
        insert({ ...successor, family, familyStartedAt: familyStarts.get(record.jti) ?? record.issuedAt })
        return { kind: 'rotated' }
      }
      if (now.getTime() - endedAt.getTime() < graceSeconds * 1000) {
        const isRevoked = (member: JwtRecord) =>
          member.family === family && member.endedAt !== null && member.successorJti === null
        if (isRevokedSince(record.userId, endedAt.getTime() + 1) || [...records.values()].some(isRevoked))
          return { kind: 'ended' }
        return { kind: 'repeated', successorJti, issuedAt: new Date(endedAt) }
      }
      endAll(now, (member) => member.family === family)
      return { kind: 'reused' }
    }),
    revoke: method((record, now) => {
      insert(record)
      const known = records.get(record.jti)
      if (known === undefined || known.endedAt !== null) return false
      end(known, now)
      return true
    }),
    revokeUser: method((userId, now) => {
      endAll(now, (record) => isSameUserId(record.userId, userId))
      if (!isRevokedSince(userId, now.getTime())) notBefore.set(canonicalUserId(userId), new Date(now))
      narrowAccess(tables, userId)
      publish(tables, { kind: 'user', userId })
    }),
    state: method((jti, userId) => {
      const record = records.get(jti)
      const since = notBefore.get(canonicalUserId(userId))
      return {
        known: record === undefined ? null : record.endedAt === null ? ('live' as const) : ('ended' as const),
        notBefore: since === undefined ? null : new Date(since),
      }
    }),
    deleteExpired: method((now) => {
      const expired = [...records.values()].filter((record) => record.expiresAt.getTime() < now.getTime())
      for (const { jti } of expired) {
        records.delete(jti)
        familyStarts.delete(jti)
      }
      return expired.length
    }),
  }
}

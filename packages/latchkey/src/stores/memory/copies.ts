/** Copies of records: what goes into the memory store and what comes out never share an object. */
import type { JwtRecord, SessionRecord, TokenRecord, UserRecord } from '../store.js'

export function copyOf<Row>(row: Row | undefined, copy: (row: Row) => Row): Row | null {
  return row === undefined ? null : copy(row)
}

export function copyUser(user: UserRecord): UserRecord {
  return {
    id: user.id,
    username: user.username,
    email: user.email,
    isActive: user.isActive,
    isStaff: user.isStaff,
    isSuperuser: user.isSuperuser,
    dateJoined: copyDate(user.dateJoined),
    lastLogin: user.lastLogin && copyDate(user.lastLogin),
    passwordHash: user.passwordHash,
    passwordVersion: user.passwordVersion,
  }
}

export function copyToken(token: TokenRecord): TokenRecord {
  return {
    id: token.id,
    policy: token.policy,
    userId: token.userId,
    digest: new Uint8Array(token.digest),
    hint: token.hint,
    sealed: token.sealed && new Uint8Array(token.sealed),
    name: token.name,
    createdAt: copyDate(token.createdAt),
    expiresAt: token.expiresAt && copyDate(token.expiresAt),
  }
}

export function copySession(session: SessionRecord): SessionRecord {
  return {
    digest: new Uint8Array(session.digest),
    userId: session.userId,
    passwordVersion: session.passwordVersion,
    createdAt: copyDate(session.createdAt),
    expiresAt: copyDate(session.expiresAt),
  }
}

export function copyJwt(record: JwtRecord): JwtRecord {
  return {
    jti: record.jti,
    family: record.family,
    userId: record.userId,
    issuedAt: copyDate(record.issuedAt),
    expiresAt: copyDate(record.expiresAt),
    endedAt: record.endedAt && copyDate(record.endedAt),
    successorJti: record.successorJti,
  }
}

/** Refuses an invalid date: as an expiry it would compare as "never". */
function copyDate(date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new TypeError('a record holds an invalid date')
  return new Date(date)
}

export function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

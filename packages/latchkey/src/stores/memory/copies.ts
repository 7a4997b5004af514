/** Copies of records: what goes into the memory store and what comes out never share an object. */
import type {
  JwtRecord,
  SessionRecord,
  SigningKeyRecord,
  TokenRecord,
  TokenUse,
  UserRecord,
} from '../store.js'

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
    scopes: token.scopes && [...token.scopes],
    allowedAddresses: token.allowedAddresses && [...token.allowedAddresses],
    createdAt: copyDate(token.createdAt),
    expiresAt: token.expiresAt && copyDate(token.expiresAt),
    previous: token.previous && {
      digest: new Uint8Array(token.previous.digest),
      hint: token.previous.hint,
      endsAt: copyDate(token.previous.endsAt),
    },
  }
}

export function copyUse(use: TokenUse): TokenUse {
  return {
    tokenId: use.tokenId,
    digest: new Uint8Array(use.digest),
    count: use.count,
    lastUsedAt: copyDate(use.lastUsedAt),
    lastUsedAddress: use.lastUsedAddress,
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

export function copyKey(key: SigningKeyRecord): SigningKeyRecord {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    publicJwk: key.publicJwk,
    sealed: key.sealed && new Uint8Array(key.sealed),
    createdAt: copyDate(key.createdAt),
    activeFrom: copyDate(key.activeFrom),
    retiresAt: key.retiresAt && copyDate(key.retiresAt),
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

/** Rows to records and back, the same for every SQL engine. */
import { type Insertable, type Selectable, sql } from 'kysely'
import {
  type JwtRecord,
  type NewJwtRecord,
  type NewTokenRecord,
  type NewUserRecord,
  type PreviousSecret,
  type SessionRecord,
  type SigningKeyRecord,
  type TokenChanges,
  type TokenRecord,
  type TokenUse,
  type UserChanges,
  type UserId,
  type UserRecord,
  userIdSpellings,
} from 'latchkey'
import type {
  JwtsTable,
  SessionsTable,
  SigningKeysTable,
  TokensTable,
  TokenUsesTable,
  UsersTable,
} from './schema.js'

export type UserRow = Selectable<UsersTable>
export type TokenRow = Selectable<TokensTable>
export type SessionRow = Selectable<SessionsTable>
export type JwtRow = Selectable<JwtsTable>

export function userOf(row: UserRow): UserRecord {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    isActive: row.is_active === 1,
    isStaff: row.is_staff === 1,
    isSuperuser: row.is_superuser === 1,
    dateJoined: new Date(row.date_joined),
    lastLogin: row.last_login === null ? null : new Date(row.last_login),
    passwordHash: row.password_hash,
    passwordVersion: row.password_version,
  }
}

export function userColumns(user: NewUserRecord): Insertable<UsersTable> {
  return {
    username: user.username,
    email: user.email,
    password_hash: user.passwordHash,
    is_active: Number(user.isActive),
    is_staff: Number(user.isStaff),
    is_superuser: Number(user.isSuperuser),
    date_joined: msOf(user.dateJoined),
    last_login: user.lastLogin && msOf(user.lastLogin),
  }
}

/** The columns that are named; `password_version` is the caller's. */
export function changedColumns(changes: UserChanges): Partial<Insertable<UsersTable>> {
  const { username, email, passwordHash, isActive, isStaff, isSuperuser, lastLogin } = changes
  return {
    ...(username !== undefined && { username }),
    ...(email !== undefined && { email }),
    ...(passwordHash !== undefined && { password_hash: passwordHash }),
    ...(isActive !== undefined && { is_active: Number(isActive) }),
    ...(isStaff !== undefined && { is_staff: Number(isStaff) }),
    ...(isSuperuser !== undefined && { is_superuser: Number(isSuperuser) }),
    ...(lastLogin !== undefined && { last_login: lastLogin && msOf(lastLogin) }),
  }
}

/** Compare and swap: the new hash where the old one still is what was verified. Undefined: none is to be written. */
export function upgradedHash(passwordHash: string | undefined, expectedHash: string | undefined) {
  if (passwordHash === undefined || expectedHash === undefined) return undefined
  return sql<string>`case when password_hash = ${expectedHash} then ${passwordHash} else password_hash end`
}

export function tokenOf(row: TokenRow): TokenRecord {
  return {
    id: row.id,
    policy: row.policy,
    userId: userIdOf(row.user_id),
    digest: bytesOf(row.digest),
    hint: row.hint,
    sealed: row.sealed && bytesOf(row.sealed),
    name: row.name,
    scopes: textsOf(row.scopes),
    allowedAddresses: textsOf(row.allowed_addresses),
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? null : new Date(row.expires_at),
    previous: previousOf(row),
  }
}

function previousOf(row: TokenRow): PreviousSecret | null {
  const { previous_digest: digest, previous_hint: hint, previous_ends_at: endsAt } = row
  if (digest === null || hint === null || endsAt === null) return null
  return { digest: bytesOf(digest), hint, endsAt: new Date(endsAt) }
}

/** A list in a column; null stays "no restriction". */
function textsOf(json: string | null): readonly string[] | null {
  return json === null ? null : (JSON.parse(json) as readonly string[])
}

function jsonOf(texts: readonly string[] | null): string | null {
  // One by one: a program may have given all arrays a `toJSON`.
  return texts && `[${texts.map((text) => JSON.stringify(text)).join(',')}]`
}

export function useOf(row: Selectable<TokenUsesTable>): TokenUse {
  return {
    tokenId: row.token_id,
    digest: bytesOf(row.digest),
    count: row.use_count,
    lastUsedAt: new Date(row.last_used_at),
    lastUsedAddress: row.last_used_address,
  }
}

/** The columns of a token that are named. */
export function changedTokenColumns(
  changes: TokenChanges,
): Partial<Pick<Insertable<TokensTable>, 'name' | 'scopes' | 'allowed_addresses' | 'expires_at'>> {
  const { name, scopes, allowedAddresses, expiresAt } = changes
  return {
    ...(name !== undefined && { name }),
    ...(scopes !== undefined && { scopes: jsonOf(scopes) }),
    ...(allowedAddresses !== undefined && { allowed_addresses: jsonOf(allowedAddresses) }),
    ...(expiresAt !== undefined && { expires_at: expiresAt && msOf(expiresAt) }),
  }
}

export function tokenColumns(token: NewTokenRecord): Insertable<TokensTable> {
  return {
    policy: token.policy,
    user_id: userIdColumn(token.userId),
    slot: token.onePerUser ? 0 : null,
    digest: token.digest,
    hint: token.hint,
    sealed: token.sealed,
    name: token.name,
    scopes: jsonOf(token.scopes),
    allowed_addresses: jsonOf(token.allowedAddresses),
    created_at: msOf(token.createdAt),
    expires_at: token.expiresAt && msOf(token.expiresAt),
  }
}

export function sessionOf(row: SessionRow): SessionRecord {
  return {
    digest: bytesOf(row.digest),
    userId: userIdOf(row.user_id),
    passwordVersion: row.password_version,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
  }
}

export function sessionColumns(session: SessionRecord): Insertable<SessionsTable> {
  return {
    digest: session.digest,
    user_id: userIdColumn(session.userId),
    password_version: session.passwordVersion,
    created_at: msOf(session.createdAt),
    expires_at: msOf(session.expiresAt),
  }
}

export function jwtOf(row: JwtRow): JwtRecord {
  return {
    jti: row.jti,
    family: row.family,
    userId: userIdOf(row.user_id),
    issuedAt: new Date(row.issued_at),
    expiresAt: new Date(row.expires_at),
    endedAt: row.ended_at === null ? null : new Date(row.ended_at),
    successorJti: row.successor_jti,
  }
}

export function jwtColumns(record: NewJwtRecord): Insertable<JwtsTable> {
  return {
    jti: record.jti,
    family: record.family,
    user_id: userIdColumn(record.userId),
    issued_at: msOf(record.issuedAt),
    expires_at: msOf(record.expiresAt),
    family_started_at: record.familyStartedAt === undefined ? null : msOf(record.familyStartedAt),
  }
}

export function familyStartOf(row: Pick<JwtRow, 'issued_at' | 'family_started_at'>): Date {
  return new Date(row.family_started_at ?? row.issued_at)
}

export function keyOf(row: Selectable<SigningKeysTable>): SigningKeyRecord {
  return {
    kid: row.kid,
    algorithm: row.algorithm,
    publicJwk: row.public_jwk,
    sealed: row.sealed && bytesOf(row.sealed),
    createdAt: new Date(row.created_at),
    activeFrom: new Date(row.active_from),
    retiresAt: row.retires_at === null ? null : new Date(row.retires_at),
  }
}

export function keyColumns(key: SigningKeyRecord): Insertable<SigningKeysTable> {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    public_jwk: key.publicJwk,
    sealed: key.sealed,
    created_at: msOf(key.createdAt),
    active_from: msOf(key.activeFrom),
    retires_at: key.retiresAt && msOf(key.retiresAt),
  }
}

/** The driver binds every number as a float, and this column keeps what it is given: 1 would be stored as 1.0. */
export function userIdColumn(id: UserId): UserId | bigint {
  return Number.isSafeInteger(id) ? BigInt(id) : id
}

/** All spellings of an id, as the column may hold them. */
export function userIdColumns(id: UserId): Array<UserId | bigint> {
  return userIdSpellings(id).map(userIdColumn)
}

/** The key of a user's access version: of all spellings of an id the same. */
export function accessKey(id: UserId): string {
  return `u${id}`
}

function userIdOf(id: UserId | bigint): UserId {
  return typeof id === 'bigint' ? Number(id) : id
}

/** Refuses an invalid date: the driver would write NULL, which in `expires_at` means "never". */
export function msOf(date: Date): number {
  const ms = date.getTime()
  if (Number.isNaN(ms)) throw new TypeError('a record holds an invalid date')
  return ms
}

/** A plain Uint8Array over the driver's Buffer, so that no record serialises as Node's Buffers do. */
export function bytesOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

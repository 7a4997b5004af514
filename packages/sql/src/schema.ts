/** The tables as Kysely sees them, after the newest migration. One type for every SQL engine. */
import type { Generated } from 'kysely'
import type { UserId } from 'latchkey'

/** Times are milliseconds since 1970-01-01T00:00:00Z; flags are 0 or 1. */
export interface Schema {
  users: UsersTable
  tokens: TokensTable
  token_uses: TokenUsesTable
  changes: ChangesTable
  sessions: SessionsTable
  login_addresses: LoginAddressesTable
  counter_events: CounterEventsTable
  jwts: JwtsTable
  jwt_users: JwtUsersTable
  signing_keys: SigningKeysTable
  sealing_keys: SealingKeysTable
  access_versions: AccessVersionsTable
}

export interface UsersTable {
  id: Generated<number>
  username: string
  email: string
  password_hash: string
  password_version: Generated<number>
  is_active: number
  is_staff: number
  is_superuser: number
  date_joined: number
  last_login: number | null
}

export interface TokensTable {
  id: Generated<number>
  policy: string
  user_id: UserId | bigint
  /** 0 for the one token that a user may have of the policy; null where any number is allowed. */
  slot: number | null
  digest: Uint8Array
  hint: string
  sealed: Uint8Array | null
  name: string
  created_at: number
  expires_at: number | null
  /** JSON array of texts; null: no restriction. */
  scopes: string | null
  /** JSON array of texts; null: no restriction. */
  allowed_addresses: string | null
  previous_digest: Uint8Array | null
  previous_hint: string | null
  previous_ends_at: number | null
}

export interface TokenUsesTable {
  digest: Uint8Array
  token_id: number
  use_count: number
  last_used_at: number
  last_used_address: string | null
}

/** What narrowed a right, for the other processes: filled by triggers, read by `changes.ts`. */
export interface ChangesTable {
  id: Generated<number>
  kind: 'token' | 'user' | 'jwt' | 'keys' | 'all'
  key: Uint8Array | UserId | bigint | null
}

export interface SessionsTable {
  digest: Uint8Array
  user_id: UserId | bigint
  password_version: number
  created_at: number
  expires_at: number
}

/** Addresses of successful logins, as keyed hashes. */
export interface LoginAddressesTable {
  digest: Uint8Array
  user_id: UserId | bigint
  expires_at: number
}

export interface CounterEventsTable {
  id: Generated<number>
  key: string
  at: number
  /** So many events at that moment. */
  count: Generated<number>
  /** When they stop to count. */
  ends_at: number
}

export interface JwtsTable {
  jti: string
  family: string
  user_id: UserId | bigint
  issued_at: number
  expires_at: number
  ended_at: number | null
  successor_jti: string | null
  /** When the login was that it descends from; null: at `issued_at`. */
  family_started_at: number | null
}

export interface JwtUsersTable {
  user_id: UserId | bigint
  not_before: number
}

export interface SigningKeysTable {
  kid: string
  algorithm: string
  public_jwk: string
  sealed: Uint8Array | null
  created_at: number
  active_from: number
  retires_at: number | null
}

/** Which keys may seal records. */
export interface SealingKeysTable {
  /** 8 hex digits. */
  key_id: string
}

export interface AccessVersionsTable {
  /** `accessKey` of a user; on SQLite also '*', for everybody. */
  user_key: string
  version: number
}

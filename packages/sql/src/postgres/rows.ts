/** Rows to records and back, where PostgreSQL's tables are not SQLite's: whose a row is. */
import type { Insertable, Selectable } from 'kysely'
import {
  type JwtRecord,
  type NewJwtRecord,
  type NewTokenRecord,
  type SessionRecord,
  type TokenRecord,
  type UserId,
  userIdSpellings,
} from 'latchkey'
import {
  type JwtRow,
  jwtColumns,
  jwtOf,
  sessionColumns,
  sessionOf,
  type TokenRow,
  tokenColumns,
  tokenOf,
} from '../rows.js'
import type {
  JwtsTable,
  JwtUsersTable,
  LoginAddressesTable,
  Schema,
  SessionsTable,
  TokensTable,
} from '../schema.js'

/** One of the two is null: the id of our user, or that of a user of the app's own as JSON. */
interface Owner {
  user_id: number | null
  external_user: string | null
}

type Owned<Table> = Omit<Table, 'user_id'> & Owner
/** An id as JSON, whoever's: `7` is not `"7"`. */
type OfAnybody<Table> = Omit<Table, 'user_id'> & { user_id: string }

export interface PostgresSchema
  extends Omit<Schema, 'tokens' | 'sessions' | 'login_addresses' | 'jwts' | 'jwt_users' | 'changes'> {
  tokens: Owned<TokensTable>
  sessions: Owned<SessionsTable>
  login_addresses: Owned<LoginAddressesTable>
  jwts: OfAnybody<JwtsTable>
  jwt_users: OfAnybody<JwtUsersTable>
}

export type PostgresTokenRow = Selectable<PostgresSchema['tokens']>
export type PostgresSessionRow = Selectable<PostgresSchema['sessions']>

/** The columns that say whose a row is. */
export function ownerColumns(id: UserId, externalUsers: boolean): Owner {
  return externalUsers
    ? { user_id: null, external_user: anybody(id) }
    : { user_id: isRowId(id) ? id : NO_ROW, external_user: null }
}

export function anybody(id: UserId): string {
  return JSON.stringify(id)
}

/** An id in all its spellings, as columns may hold them. */
export function everySpelling(id: UserId): string[] {
  return userIdSpellings(id).map(anybody)
}

/** Whether a number can be the id of a row; the server refuses to compare an id with any other. */
export function isRowId(id: UserId): id is number {
  return typeof id === 'number' && Number.isSafeInteger(id)
}

/** The id of no row. */
const NO_ROW = -1

export function rowId(id: number): number {
  return isRowId(id) ? id : NO_ROW
}

function ownerOf({ user_id, external_user }: Owner): UserId {
  return user_id ?? (JSON.parse(external_user ?? 'null') as UserId)
}

export function tokenRecord(row: PostgresTokenRow): TokenRecord {
  return tokenOf({ ...row, user_id: ownerOf(row) } satisfies TokenRow)
}

export function newTokenColumns(
  token: NewTokenRecord,
  externalUsers: boolean,
): Insertable<PostgresSchema['tokens']> {
  return { ...tokenColumns(token), ...ownerColumns(token.userId, externalUsers) }
}

export function sessionRecord(row: PostgresSessionRow): SessionRecord {
  return sessionOf({ ...row, user_id: ownerOf(row) })
}

export function newSessionColumns(
  session: SessionRecord,
  externalUsers: boolean,
): Insertable<PostgresSchema['sessions']> {
  return { ...sessionColumns(session), ...ownerColumns(session.userId, externalUsers) }
}

export function jwtRecord(row: Omit<JwtRow, 'user_id'> & { readonly user_id: string }): JwtRecord {
  return jwtOf({ ...row, user_id: JSON.parse(row.user_id) as UserId })
}

export function newJwtColumns(record: NewJwtRecord): Insertable<PostgresSchema['jwts']> {
  return { ...jwtColumns(record), user_id: anybody(record.userId) }
}

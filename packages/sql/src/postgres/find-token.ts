/** The cold look-up: a token by either of its secrets, with its user, in one prepared statement. */
import type { FoundToken, UserId, UserRecord } from 'latchkey'
import type { Statement } from './statements.js'

/**
 * What two indexes hold beside the digest, so that neither is followed to the table. By name, since a migration may add
 * columns while this is prepared.
 */
const COLUMNS = `id, policy, user_id, external_user, digest, hint, brief, created_at, expires_at,
  previous_digest, previous_hint, previous_ends_at`

/** See migration 0003: scopes, addresses and name as one text, which is `brief` where it is short. */
const DETAILS = `coalesce(long.scopes, '') || chr(31) || coalesce(long.allowed_addresses, '') || chr(31) || long.name`
const SEPARATOR = '\u001f'

/** In the order of the statement; as arrays, because a row as an object costs more than all that is done with it here. */
type TokenColumns = readonly [
  id: number,
  policy: string,
  userId: number | null,
  externalUser: string | null,
  digest: Uint8Array,
  hint: string,
  details: string,
  createdAt: number,
  expiresAt: number | null,
  previousDigest: Uint8Array | null,
  previousHint: string | null,
  previousEndsAt: number | null,
]
type UserColumns = readonly [
  username: string | null,
  email: string,
  passwordHash: string,
  passwordVersion: number,
  isActive: number,
  isStaff: number,
  isSuperuser: number,
  dateJoined: number,
  lastLogin: number | null,
]

export interface LookUpOptions {
  readonly externalUsers: boolean
  readonly hasPartitions?: boolean
}

/** Without the second half where users are the app's own; that of a user who is gone is all nulls. */
export type FoundRow = readonly [...TokenColumns, ...Partial<UserColumns>]

/**
 * The statement for a digest. LIMIT: the second half runs only where the first found nothing. Where tokens are
 * partitioned, what asks more than the one partition of the digest is behind functions: there, to prepare for it costs
 * more than the look-up. See `partition-triggers.ts`.
 */
export function findToken(
  schema: string,
  { externalUsers, hasPartitions = false }: LookUpOptions,
): (digest: Uint8Array) => Statement {
  const tokens = `"${schema}".tokens`
  const [long, previous, kind] = hasPartitions
    ? [
        `"${schema}".token_by_digest(found.digest) AS long`,
        `"${schema}".token_by_previous_digest($1)`,
        '_in_partitions',
      ]
    : [`${tokens} AS long WHERE long.id = found.id`, `${tokens} WHERE previous_digest = $1`, '']
  const sql = `
    SELECT found.id, policy, user_id, external_user, digest, hint,
      coalesce(brief, (SELECT ${DETAILS} FROM ${long})),
      created_at, expires_at, previous_digest, previous_hint, previous_ends_at
      ${externalUsers ? '' : USER_COLUMNS}
    FROM (
      SELECT ${COLUMNS} FROM ${tokens} WHERE digest = $1
      UNION ALL
      SELECT ${COLUMNS} FROM ${previous}
      LIMIT 1
    ) AS found
    ${externalUsers ? '' : `LEFT JOIN "${schema}".users ON users.id = found.user_id`}`
  const name = `${schema}.find_token${externalUsers ? '' : '_and_user'}${kind}`
  return (digest) => ({ name, sql, parameters: [digest], isLookUp: true, rowMode: 'array' })
}

const USER_COLUMNS = `, username, email, password_hash, password_version, is_active, is_staff, is_superuser,
  date_joined, last_login`

export function foundOf(row: FoundRow): { token: FoundToken; user: UserRecord | null } {
  const [id, policy, userId, externalUser, digest, hint, details, ...more] = row
  const [createdAt, expiresAt, previousDigest, previousHint, previousEndsAt, ...user] = more
  const [scopes = '', addresses = '', ...name] = details.split(SEPARATOR)
  const token: FoundToken = {
    id,
    policy,
    userId: userId ?? (JSON.parse(externalUser ?? '') as UserId),
    digest,
    hint,
    name: name.join(SEPARATOR),
    scopes: textsOf(scopes),
    allowedAddresses: textsOf(addresses),
    createdAt: new Date(createdAt),
    expiresAt: dateOf(expiresAt),
    previous:
      previousDigest === null
        ? null
        : { digest: previousDigest, hint: previousHint ?? '', endsAt: new Date(previousEndsAt ?? 0) },
  }
  return { token, user: userId === null ? null : userOf(userId, user) }
}

function userOf(id: number, columns: Partial<UserColumns>): UserRecord | null {
  const [username = null, email = '', passwordHash = '!', passwordVersion = 0, ...more] = columns
  const [isActive, isStaff, isSuperuser, dateJoined = 0, lastLogin = null] = more
  if (username === null) return null
  return {
    id,
    username,
    email,
    isActive: isActive === 1,
    isStaff: isStaff === 1,
    isSuperuser: isSuperuser === 1,
    dateJoined: new Date(dateJoined),
    lastLogin: dateOf(lastLogin),
    passwordHash,
    passwordVersion,
  }
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}

/** A list in a column; where there is none, there is no restriction. */
function textsOf(json: string): readonly string[] | null {
  return json === '' ? null : (JSON.parse(json) as readonly string[])
}

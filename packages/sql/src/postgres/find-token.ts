/** The cold look-up: a token by either of its secrets, with its user. Nearly always one prepared statement. */
import type { FoundToken, UserId, UserRecord } from 'latchkey'
import type { Statement } from './statements.js'
import { unescapedText } from './values.js'

/** See migration 0003: scopes, addresses and name as one text, which is `brief` where it is short. */
const DETAILS = `coalesce(t.scopes, '') || chr(31) || coalesce(t.allowed_addresses, '') || chr(31) || t.name`
const SEPARATOR = '\u001f'

/** As JSON in the order of the statement; digests in hex. */
type TokenColumns = readonly [
  id: number,
  policy: string,
  userId: number | null,
  externalUser: string | null,
  digest: string,
  hint: string,
  /** Null: too long for the index. */
  details: string | null,
  createdAt: number,
  expiresAt: number | null,
  previousDigest: string | null,
  previousHint: string | null,
  previousEndsAt: number | null,
]
type UserColumns = readonly [
  username: string | null,
  email: string,
  passwordHash: string,
  passwordVersion: number,
  isActive: boolean,
  isStaff: boolean,
  isSuperuser: boolean,
  dateJoined: number,
  lastLogin: number | null,
]

/** Without the second half where users are the app's own; that of a user who is gone is all nulls. */
type FoundColumns = readonly [...TokenColumns, ...Partial<UserColumns>]

/**
 * The whole row as one JSON text: the driver builds every answer anew from its columns, and for twenty of them that took
 * longer than the server's look-up.
 */
export type FoundRow = readonly [json: string]

/** Which of its secrets a token is looked up by. */
export const SECRETS = ['digest', 'previous_digest'] as const

type LookUp = (digest: Uint8Array) => Statement

/**
 * The statements for a digest, by the secret that it may be of. They are apart because the server prepares every part of
 * a plan, whether it runs or not, and of the parts for a previous secret one for each partition.
 */
export type FindToken = Readonly<Record<(typeof SECRETS)[number], LookUps>>

interface LookUps {
  /** From indexes alone, as two of them hold beside the digest what a look-up needs. */
  readonly brief: LookUp
  /** For texts that are too long for an index. */
  readonly long: LookUp
}

export function findToken(schema: string, externalUsers: boolean): FindToken {
  const [userColumns, users] = externalUsers
    ? ['', '']
    : [`, ${USER_COLUMNS}`, `LEFT JOIN "${schema}".users AS u ON u.id = t.user_id`]
  const kind = externalUsers ? 'token' : 'token_user'
  const lookUp = (name: string, secret: string, details: string): LookUp => {
    // LIMIT: there is one at most, but of partitions the server would expect one in each, and plan anew every time.
    const sql = `
      SELECT json_build_array(t.id, t.policy, t.user_id, t.external_user, encode(t.digest, 'hex'), t.hint, ${details},
        t.created_at, t.expires_at, encode(t.previous_digest, 'hex'), t.previous_hint, t.previous_ends_at ${userColumns})
      FROM "${schema}".tokens AS t ${users} WHERE t.${secret} = $1 LIMIT 1`
    return (digest) => ({
      name: `${schema}.${name}_by_${secret}`,
      sql,
      parameters: [digest],
      isLookUp: true,
      rowMode: 'array',
    })
  }
  const lookUps = (secret: string) => ({
    brief: lookUp(kind, secret, 't.brief'),
    long: lookUp(`long_${kind}`, secret, DETAILS),
  })
  return { digest: lookUps('digest'), previous_digest: lookUps('previous_digest') }
}

/** With its table, as all columns: a later migration may give one of the same name to the other table. */
const USER_COLUMNS = `u.username, u.email, u.password_hash, u.password_version, u.is_active, u.is_staff, u.is_superuser,
  u.date_joined, u.last_login`

/** What was found; null where there is no row, or one whose texts are long. */
export function foundOf([row]: readonly FoundRow[]): {
  readonly token: FoundToken
  readonly user: UserRecord | null
} | null {
  if (row === undefined) return null
  const [id, policy, userId, externalUser, digest, hint, details, ...more] = columnsOf(row)
  if (details === null) return null
  const [createdAt, expiresAt, previousDigest, previousHint, previousEndsAt, ...user] = more
  const [scopes = '', addresses = '', ...name] = details.split(SEPARATOR)
  const token: FoundToken = {
    id,
    policy,
    userId: userId ?? (JSON.parse(externalUser ?? '') as UserId),
    digest: bytesOfHex(digest),
    hint,
    name: name.join(SEPARATOR),
    scopes: textsOf(scopes),
    allowedAddresses: textsOf(addresses),
    createdAt: new Date(createdAt),
    expiresAt: dateOf(expiresAt),
    previous:
      previousDigest === null
        ? null
        : {
            digest: bytesOfHex(previousDigest),
            hint: previousHint ?? '',
            endsAt: new Date(previousEndsAt ?? 0),
          },
  }
  return { token, user: userId === null ? null : userOf(userId, user) }
}

/** Texts are stored as `escapedText` writes them. */
function columnsOf([json]: FoundRow): FoundColumns {
  if (!json.includes('\\u001a')) return JSON.parse(json)
  return JSON.parse(json, (_, value) => (typeof value === 'string' ? unescapedText(value) : value))
}

/** With memory of their own. */
function bytesOfHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

function userOf(id: number, columns: Partial<UserColumns>): UserRecord | null {
  const [username = null, email = '', passwordHash = '!', passwordVersion = 0, ...more] = columns
  const [isActive, isStaff, isSuperuser, dateJoined = 0, lastLogin = null] = more
  if (username === null) return null
  return {
    id,
    username,
    email,
    isActive: isActive === true,
    isStaff: isStaff === true,
    isSuperuser: isSuperuser === true,
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

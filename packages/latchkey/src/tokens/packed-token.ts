/**
 * A verified token as it lies in memory: a few numbers and one text, less than half of the objects that a request gets.
 * The verified cache packs and unpacks; what is unpacked equals what was packed.
 */
import { types } from 'node:util'
import type { Mark } from '../cache/marks.js'
import { CheckedIdentity, canonicalUserId, type User, type UserId } from '../identity.js'
import { OwnToken, type Token } from './token.js'
import type { VerifiedToken } from './verified-token.js'

/** One for all cached tokens of a user. */
export interface PackedUser extends Mark {
  /** As tokens name it, and changes too. */
  readonly id: UserId
  /** The form that all spellings of the id have. */
  readonly canonicalId: UserId
  /** See `textOf`; the user itself where no such text says all. */
  details: string | User
}

export interface PackedToken {
  readonly owner: PackedUser
  readonly policy: string
  readonly id: number
  /** See `packHint`. */
  readonly hint: number | string
  readonly createdAtMs: number
  /** Null: for ever. */
  readonly expiresAtMs: number | null
  /** What most tokens have nothing of. */
  readonly more: More | null
  /** What a request gets, while the token is one of those that were asked for lately. */
  unpacked: VerifiedToken | null
}

type More = Pick<Token, 'name' | 'scopes' | 'allowedAddresses' | 'previous'> &
  Pick<VerifiedToken, 'endsAtMs' | 'renewAfterMs' | 'allows' | 'tracksUse'>

/** @param id what the token says; an app's own table may answer with another spelling */
export function packUser(id: UserId, user: User): PackedUser {
  return { current: true, id, canonicalId: canonicalUserId(id), details: detailsOf(id, user) }
}

/** Takes up when the user last logged in. False, and nothing is taken up, when anything else is new. */
export function updateUser(packed: PackedUser, user: User): boolean {
  const details = detailsOf(packed.id, user)
  if (packed.details === details) return true
  const { lastLogin: _, ...known } = unpackUser(packed)
  const isSame = Object.entries(known).every(([name, value]) => isEqual(value, Reflect.get(user, name)))
  if (isSame) packed.details = details
  return isSame
}

export function packToken(owner: PackedUser, verified: VerifiedToken): PackedToken {
  const { endsAtMs, renewAfterMs, allows, tracksUse } = verified
  const { id, policy, hint, name, scopes, allowedAddresses, createdAt, expiresAt, previous } =
    verified.identity.auth
  const expiresAtMs = expiresAt === null ? null : expiresAt.getTime()
  const isPlain =
    name === '' &&
    scopes === null &&
    allowedAddresses === null &&
    previous === null &&
    !tracksUse &&
    renewAfterMs === Number.POSITIVE_INFINITY &&
    endsAtMs === (expiresAtMs ?? Number.POSITIVE_INFINITY)
  return {
    owner,
    policy,
    id,
    hint: packHint(hint),
    createdAtMs: createdAt.getTime(),
    expiresAtMs,
    more: isPlain
      ? null
      : { name, scopes, allowedAddresses, previous, endsAtMs, renewAfterMs, allows, tracksUse },
    unpacked: verified,
  }
}

const NOTHING_MORE = Object.freeze({
  name: '',
  scopes: null,
  allowedAddresses: null,
  previous: null,
  renewAfterMs: Number.POSITIVE_INFINITY,
  allows: null,
  tracksUse: false,
})

export function unpackToken({
  owner,
  policy,
  id,
  hint,
  createdAtMs,
  expiresAtMs,
  more,
}: PackedToken): VerifiedToken {
  const { name, scopes, allowedAddresses, previous, renewAfterMs, allows, tracksUse } = more ?? NOTHING_MORE
  const auth = new OwnToken({
    id,
    policy,
    userId: owner.id,
    hint: typeof hint === 'number' ? unpackHint(hint) : hint,
    name,
    scopes,
    allowedAddresses,
    createdAt: new Date(createdAtMs),
    expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs),
    previous,
  })
  return {
    identity: new CheckedIdentity(unpackUser(owner), auth),
    endsAtMs: more === null ? (expiresAtMs ?? Number.POSITIVE_INFINITY) : more.endsAtMs,
    renewAfterMs,
    allows,
    tracksUse,
    tally: null,
  }
}

const ELLIPSIS = 0x2026

/** `…abcd`, which most hints are, as a number: 7 bits for each of the four letters. Others stay as they are. */
function packHint(hint: string): number | string {
  if (hint.length !== 5 || hint.charCodeAt(0) !== ELLIPSIS) return hint
  let bits = 0
  for (let at = 1; at < 5; at += 1) {
    const code = hint.charCodeAt(at)
    if (code > 0x7f) return hint
    bits = (bits << 7) | code
  }
  return bits
}

function unpackHint(bits: number): string {
  return String.fromCharCode(ELLIPSIS, bits >>> 21, (bits >>> 14) & 0x7f, (bits >>> 7) & 0x7f, bits & 0x7f)
}

function unpackUser({ id, details }: PackedUser): User {
  return typeof details === 'string' ? userOf(id, details) : details
}

const [ACTIVE, STAFF, SUPERUSER] = [1, 2, 4]
const [BLANK, ZERO, SMALL_A] = [0x20, 0x30, 0x61]
/** Times and lengths are written to base 36: eight digits last until the year 2059. */
const TIME_DIGITS = 8
const LENGTH_DIGITS = 2
const JOINED_AT = 1
const LAST_LOGIN_AT = JOINED_AT + TIME_DIGITS
const LENGTH_AT = LAST_LOGIN_AT + TIME_DIGITS
const NAME_AT = LENGTH_AT + LENGTH_DIGITS

function detailsOf(id: UserId, user: User): string | User {
  return (user.id === id ? textOf(user) : undefined) ?? user
}

function isEqual(one: unknown, other: unknown): boolean {
  return types.isDate(one) && types.isDate(other)
    ? Object.is(one.getTime(), other.getTime())
    : Object.is(one, other)
}

/**
 * A user as one text: the three flags as a digit, the two times, the length of the username, the username, the email.
 * Undefined for what has no place in it, such as a year before 1970 in an app's own table; it stays the object it is.
 */
function textOf({ username, email, ...user }: User): string | undefined {
  const flags = (user.isActive ? ACTIVE : 0) | (user.isStaff ? STAFF : 0) | (user.isSuperuser ? SUPERUSER : 0)
  const joined = timeDigits(user.dateJoined)
  const lastLogin = user.lastLogin === null ? ' '.repeat(TIME_DIGITS) : timeDigits(user.lastLogin)
  if (joined === undefined || lastLogin === undefined) return undefined
  if (typeof username !== 'string' || typeof email !== 'string') return undefined
  if (![user.isActive, user.isStaff, user.isSuperuser].every((flag) => typeof flag === 'boolean'))
    return undefined
  const length = digitsOf(username.length, LENGTH_DIGITS)
  // Joined, it is one piece; a template would keep its parts.
  return length && [flags, joined, lastLogin, length, username, email].join('')
}

/** An app's own table may have something else than a date in it. */
function timeDigits(date: unknown): string | undefined {
  return types.isDate(date) ? digitsOf(date.getTime(), TIME_DIGITS) : undefined
}

function digitsOf(value: number | undefined, digits: number): string | undefined {
  if (value === undefined || !(value >= 0 && value < 36 ** digits && Number.isInteger(value)))
    return undefined
  return value.toString(36).padStart(digits, '0')
}

function userOf(id: UserId, text: string): User {
  const flags = text.charCodeAt(0) - ZERO
  const emailAt = NAME_AT + numberIn(text, LENGTH_AT, NAME_AT)
  return Object.freeze({
    id,
    username: text.slice(NAME_AT, emailAt),
    email: text.slice(emailAt),
    isActive: (flags & ACTIVE) !== 0,
    isStaff: (flags & STAFF) !== 0,
    isSuperuser: (flags & SUPERUSER) !== 0,
    dateJoined: new Date(numberIn(text, JOINED_AT, LAST_LOGIN_AT)),
    lastLogin:
      text.charCodeAt(LAST_LOGIN_AT) === BLANK ? null : new Date(numberIn(text, LAST_LOGIN_AT, LENGTH_AT)),
  })
}

/** `parseInt` to base 36, without a text of its own. */
function numberIn(text: string, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at)
    value = value * 36 + (code < SMALL_A ? code - ZERO : code - SMALL_A + 10)
  }
  return value
}

/** Who is asking: what authenticators return, permissions judge and handlers read. */
import { types } from 'node:util'
import { BOOLEAN, orNull, type Rule, rule, TEXT } from './options.js'
import { isThenable } from './thenable.js'

/** The primary key of a user: Latchkey's own users have integers, an app's own users table may have text. */
export type UserId = number | string

/** Who may act. Never holds the password hash. */
export interface User {
  readonly id: UserId
  readonly username: string
  readonly email: string
  readonly isActive: boolean
  readonly isStaff: boolean
  readonly isSuperuser: boolean
  readonly dateJoined: Date
  readonly lastLogin: Date | null
}

/**
 * DRF's `request.user` and `request.auth`: the user, and what proved it (a `Token` for token authentication,
 * `null` for a password or a session).
 */
export interface Identity<Auth = unknown> {
  readonly user: User | null
  readonly auth: Auth
}

/** An identity that is somebody: what handlers behind `isAuthenticated` get. */
export interface AuthenticatedIdentity<Auth = unknown> extends Identity<Auth> {
  readonly user: User
}

/**
 * An identity of our own making, frozen: what the guard passes on, and nothing else. A private field marks it, which
 * no other code can give to an object, so a promise or an object of an app's code is never taken for one.
 */
export class CheckedIdentity<ThisUser extends User | null = User | null, Auth = unknown>
  implements Identity<Auth>
{
  readonly user: ThisUser
  readonly auth: Auth
  readonly #isChecked = true

  /** @param user frozen, and complete: see `checkedIdentity` for what comes from an app */
  constructor(user: ThisUser, auth: Auth) {
    this.user = user
    this.auth = auth
    Object.freeze(this)
  }

  static holds(value: unknown): value is CheckedIdentity {
    return typeof value === 'object' && value !== null && #isChecked in value
  }
}

/**
 * The last check before a handler gets an identity.
 * @throws TypeError for anything that is not an identity of our own making
 */
export function requireChecked(value: unknown): CheckedIdentity {
  if (!CheckedIdentity.holds(value)) throw new TypeError('guard: did not produce an identity')
  return value
}

/** No authenticator recognised a credential. DRF's `AnonymousUser` and `None`. */
export const ANONYMOUS: CheckedIdentity<null, null> = new CheckedIdentity(null, null)

/**
 * Copies what an app's authenticator answered, field by field, into an identity of our own. Each field is read once, so
 * what was checked is what is passed on.
 *
 * @param source names the code that answered, for the error
 * @throws TypeError that names the field, for anything but `{ user, auth }` with a complete user or null
 */
export function checkedIdentity(value: unknown, source: string): CheckedIdentity {
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${source}: must answer null or { user, auth }, not ${describe(value)}`)
  const user = fieldOf(value, 'user')
  const auth = fieldOf(value, 'auth')
  if (user === undefined)
    throw new TypeError(`${source}: user: is missing; null for an identity without a user`)
  if (auth === undefined) throw new TypeError(`${source}: auth: is missing; null for none`)
  return new CheckedIdentity(user === null ? null : checkedUser(user, `${source}: user`), auth)
}

/**
 * Frozen users of our own making that are passed on as the same object: what a login proved is known by it (see
 * `users/login-basis.ts`), and an app's authenticator may answer with the user that `login()` gave it.
 */
const OWN_USERS = new WeakSet<object>()

/** @param user frozen and complete */
export function markOwnUser(user: User): void {
  OWN_USERS.add(user)
}

/**
 * Copies a user of an app's code into a frozen `User` with exactly its fields. What else the app knows of a user belongs
 * into `auth`.
 *
 * @param source what stands before the name of a field in the error
 * @throws TypeError that names the field, never its value
 */
export function checkedUser(value: unknown, source: string): User {
  if (typeof value !== 'object' || value === null)
    throw new TypeError(`${source}: must be a user, not ${describe(value)}`)
  // Of our own making, as `markOwnUser` promises.
  if (OWN_USERS.has(value)) return value as User
  const read = <Field extends keyof User>(name: Field): User[Field] => {
    const field = fieldOf(value, name)
    const { must, holds } = USER_FIELDS[name]
    if (!holds(field)) throw new TypeError(`${source}.${name}: must ${must}, not ${describe(field)}`)
    // The rule of this field has just held.
    return field as User[Field]
  }
  return Object.freeze({
    id: read('id'),
    username: read('username'),
    email: read('email'),
    isActive: read('isActive'),
    isStaff: read('isStaff'),
    isSuperuser: read('isSuperuser'),
    dateJoined: read('dateJoined'),
    lastLogin: read('lastLogin'),
  })
}

/**
 * Whether a permission may take this for an authenticated identity: one of our own with a user, or one that an app's
 * code passed in whose user is complete. Permissions ask it themselves, and do not rely on the guard.
 */
export function isAuthenticatedIdentity(identity: Identity): identity is AuthenticatedIdentity {
  if (CheckedIdentity.holds(identity)) return identity.user !== null
  return typeof identity === 'object' && identity !== null && isCompleteUser(fieldOf(identity, 'user'))
}

function isCompleteUser(value: unknown): value is User {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(USER_FIELDS).every(([name, { holds }]) => holds(fieldOf(value, name)))
}

const DATE: Rule = rule(
  'be a valid Date',
  (value) => types.isDate(value) && !Number.isNaN(Date.prototype.getTime.call(value)),
)

/** Whether a value can be the id of a user at all. */
export function isUserId(value: unknown): value is UserId {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value !== '')
}

/** What each field of a user must be. */
const USER_FIELDS: { readonly [Name in keyof User]: Rule } = Object.freeze({
  id: rule('be a whole number or a text that is not empty', isUserId),
  username: TEXT,
  email: TEXT,
  isActive: BOOLEAN,
  isStaff: BOOLEAN,
  isSuperuser: BOOLEAN,
  dateJoined: DATE,
  lastLogin: orNull(DATE),
})

/** A member that the object or its class has; one that somebody added to `Object.prototype` is not there. */
export function fieldOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) || !(name in Object.prototype) ? Reflect.get(value, name) : undefined
}

/** The kind of a value in words, for errors: never the value. */
function describe(value: unknown): string {
  if (value === null) return 'null'
  if (isThenable(value)) return 'a promise'
  return Array.isArray(value) ? 'an array' : typeof value
}

/**
 * The id of a user, by whom or by which an app names them.
 * @throws TypeError for anything else: what is undefined by mistake must not be a user that is not found
 */
export function userIdOf(user: User | UserId | undefined): UserId {
  const id = typeof user === 'object' ? user?.id : user
  if (typeof id !== 'number' && typeof id !== 'string')
    throw new TypeError('user: must be a user, or the id of one')
  return id
}

/**
 * One form for ids that are written alike: 42 and `'42'` are one user, as drivers give a bigint as a text. Texts that are
 * not the spelling of a number stay as they are, `'042'` too.
 */
export function canonicalUserId(id: UserId): UserId {
  if (typeof id === 'number') return id
  const number = Number(id)
  return Number.isFinite(number) && String(number) === id ? number : id
}

/** Every spelling of an id that means the same user, the given one first: what rows may hold. */
export function userIdSpellings(id: UserId): readonly UserId[] {
  const canonical = canonicalUserId(id)
  if (typeof canonical !== 'number' || !Number.isFinite(canonical)) return [id]
  return typeof id === 'number' ? [id, String(id)] : [id, canonical]
}

/** Whether two ids name the same user. */
export function isSameUserId(one: UserId, other: UserId): boolean {
  return String(one) === String(other)
}

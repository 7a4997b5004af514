/** Who is asking: what authenticators return, permissions judge and handlers read. A leaf. */

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

/** Nobody: no authenticator recognised a credential. DRF's `AnonymousUser` and `None`. */
export const ANONYMOUS: Identity<null> = Object.freeze({ user: null, auth: null })

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

/**
 * What a user object that a login returned was based on. The login service writes it down, and the services that create
 * tokens, sessions and JWTs for that object read it: what was proved before access was narrowed creates nothing after it.
 */
import { LatchkeyError } from '../errors.js'
import { isSameUserId, markOwnUser, type User, type UserId } from '../identity.js'
import type { AccessBasis, AccessStore } from '../stores/store.js'

export interface LoginBasis extends AccessBasis {
  /** Of the record whose password was verified: what a session remembers. */
  readonly passwordVersion: number
}

interface Proof {
  readonly store: AccessStore
  readonly basis: LoginBasis
}

/** By the object itself, so that callers pass a user on as they always did. */
const PROOFS = new WeakMap<User, Proof>()

/**
 * Says what this user object is based on, in this store. The guard then passes on the object itself, and no copy.
 * @param user frozen
 */
export function setLoginBasis(user: User, store: AccessStore, basis: LoginBasis): void {
  markOwnUser(user)
  PROOFS.set(user, { store, basis })
}

/**
 * What this user object is based on. Undefined for an id, for an object that no login returned, and for one of another
 * store: nothing was proved before, so there is nothing that could be out of date.
 */
export function loginBasisOf(user: User | UserId, store: AccessStore): LoginBasis | undefined {
  const proof = typeof user === 'object' ? PROOFS.get(user) : undefined
  if (proof === undefined || proof.store !== store || typeof user !== 'object') return undefined
  // An object that was changed into another user's is not what the login returned.
  if (!isSameUserId(proof.basis.userId, user.id)) throw staleLogin()
  return proof.basis
}

/** Gives a copy of a user object the basis of the original. */
export function copyLoginBasis(from: User, to: User): void {
  const proof = PROOFS.get(from)
  if (proof === undefined) return
  markOwnUser(to)
  PROOFS.set(to, proof)
}

/** Access was narrowed since the login began: in the words of a wrong password (DRF's `BasicAuthentication`). */
export function staleLogin(): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message: 'Invalid username/password.' })
}

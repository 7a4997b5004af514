/** Samples of what the verified cache holds. */
import type { User, UserId } from '../src/identity.js'
import type { VerifiedToken } from '../src/tokens/verified-token.js'

export function user(id: number, changes: Partial<User> = {}): User {
  return {
    id,
    username: `user${id}`,
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
    ...changes,
  }
}

/** A token of a user that never ends. `userId`: as the token names its owner. */
export function verifiedToken(
  owner: User,
  { id = 1, userId = owner.id }: { id?: number; userId?: UserId } = {},
): VerifiedToken {
  const never = Number.POSITIVE_INFINITY
  const auth = {
    id,
    policy: 'authtoken',
    userId,
    hint: '…abcd',
    name: '',
    scopes: null,
    allowedAddresses: null,
    createdAt: new Date(0),
    expiresAt: null,
    previous: null,
  }
  return {
    identity: { user: owner, auth },
    endsAtMs: never,
    renewAfterMs: never,
    allows: null,
    tracksUse: false,
    tally: null,
  }
}

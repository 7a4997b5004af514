/** The user whom a token's claims describe, without asking anybody: simplejwt's `TokenUser`. The JWT verifier makes it. */
import { checkedUser, type User, type UserId } from '../identity.js'
import { checkAnswer, OPTIONS } from '../options.js'
import type { JsonObject } from './json-object.js'

/** What further claims say of the user: TOKEN_USER_CLASS. */
export type TokenUserOf = (claims: JsonObject) => Partial<Omit<User, 'id'>>

/**
 * `username`, `is_staff` and `is_superuser` are read as simplejwt reads them, but only `true` is true. Who is described
 * is active; what no claim says is empty, and the user joined in 1970.
 */
export function tokenUser(id: UserId, claims: JsonObject, more: TokenUserOf = () => ({})): User {
  const { username, is_staff, is_superuser } = claims
  const described = more(claims)
  checkAnswer('jwt.tokenUser()', described, OPTIONS)
  const user: User = {
    username: typeof username === 'string' ? username : '',
    email: '',
    isActive: true,
    isStaff: is_staff === true,
    isSuperuser: is_superuser === true,
    dateJoined: new Date(0),
    lastLogin: null,
    ...described,
    id,
  }
  return checkedUser(user, 'jwt.tokenUser()')
}

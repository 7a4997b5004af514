/** From a stored user to the one that everybody may see. */
import type { User } from '../identity.js'
import type { UserRecord } from '../stores/store.js'

/** The public part of a stored user: no password hash. */
export function toUser(record: UserRecord): User {
  const { id, username, email, isActive, isStaff, isSuperuser, dateJoined, lastLogin } = record
  return Object.freeze({ id, username, email, isActive, isStaff, isSuperuser, dateJoined, lastLogin })
}

/** A user as `--json` prints one: the same names in every listing. */
import type { User } from 'latchkey'

/** Without anything secret: a `User` never holds its password hash. */
export function userJson(user: User): Readonly<Record<string, unknown>> {
  const { id, username, email, isActive, isStaff, isSuperuser, dateJoined, lastLogin } = user
  return { id, username, email, isActive, isStaff, isSuperuser, dateJoined, lastLogin }
}

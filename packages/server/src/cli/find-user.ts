/** The user that a command line names. Commands about users and tokens call it. */
import type { Latchkey, User } from 'latchkey'
import { CommandError } from './output.js'

/** The user with this name. Throws `CommandError` in Django's words. */
export async function findUser(latchkey: Latchkey, username: string): Promise<User> {
  const user = await latchkey.users.findByUsername(username)
  if (user === null) throw new CommandError(`user '${username}' does not exist`)
  return user
}

/** A positive whole number from the command line. Throws `CommandError` that names it. */
export function parseId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new CommandError(`'${text}' is not an id: ids are whole numbers, as in \`latchkey token list\``)
}

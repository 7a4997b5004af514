/** Django's rules for usernames: what the user service lets in. */

const MAX_USERNAME_LENGTH = 150

/** As Python's `[\w.@+-]+`: letters and digits of every script, and `_.@+-`. */
const USERNAME = /^[\p{L}\p{N}_.@+-]+$/u

/** NFKC, as Django stores usernames: look-alikes of compatibility forms become one name. */
export function normalizeUsername(username: string): string {
  return username.normalize('NFKC')
}

/** What is wrong with a normalized username, in Django's words; empty when nothing is. */
export function usernameErrors(username: string): readonly string[] {
  if (username === '') return ['This field may not be blank.']
  const errors: string[] = []
  if (!USERNAME.test(username)) {
    errors.push(
      'Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.',
    )
  }
  const length = [...username].length
  if (length > MAX_USERNAME_LENGTH) {
    errors.push(`Ensure this value has at most ${MAX_USERNAME_LENGTH} characters (it has ${length}).`)
  }
  return errors
}

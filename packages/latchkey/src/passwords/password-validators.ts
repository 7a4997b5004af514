/** Django's four rules for new passwords, with its messages, and an upper bound; `Passwords.validate` runs them. */
import { commonPasswords } from './common-passwords.js'
import { integerOption } from './options.js'

/** Whose password it is. */
export interface PasswordOwner {
  readonly username: string
  readonly email?: string | undefined
}

/** What is wrong with a new password, as a public message; null: nothing. */
export type PasswordValidator = (password: string, owner: PasswordOwner) => string | null

/** Longer passwords are refused; they are never cut off. */
export const MAX_PASSWORD_CHARACTERS = 4096

/** Django's default list of four (`startproject` writes it), and the upper bound. */
export const defaultPasswordValidators = (): readonly PasswordValidator[] => [
  userAttributeSimilarity(),
  minimumLength(),
  maximumLength(),
  commonPassword(),
  numericPassword(),
]

/** At least `minLength` Unicode characters; default 8. */
export function minimumLength(minLength = 8): PasswordValidator {
  integerOption('minLength', minLength, 1, MAX_PASSWORD_CHARACTERS)
  const message = `This password is too short. It must contain at least ${minLength} character${minLength === 1 ? '' : 's'}.`
  return (password) => ([...password].length < minLength ? message : null)
}

/** At most `maxLength` Unicode characters; default 4096. */
export function maximumLength(maxLength = MAX_PASSWORD_CHARACTERS): PasswordValidator {
  integerOption('maxLength', maxLength, 64, MAX_PASSWORD_CHARACTERS)
  const message = `This password is too long. It must contain at most ${maxLength} characters.`
  // A character is one or two units of a string: megabytes are refused without being counted.
  return (password) => (password.length > 2 * maxLength || [...password].length > maxLength ? message : null)
}

/** Not one of the 20,000 most common passwords, whatever the case. */
export function commonPassword(): PasswordValidator {
  return (password) =>
    commonPasswords().has(password.toLowerCase().trim()) ? 'This password is too common.' : null
}

/** The characters for which Python's `isdigit` is true: decimal digits, and superscript, subscript and circled ones. */
const DIGITS_ONLY =
  /^[\p{Nd}²³¹\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]+$/u

/** Not digits alone. */
export function numericPassword(): PasswordValidator {
  return (password) => (DIGITS_ONLY.test(password) ? 'This password is entirely numeric.' : null)
}

export interface UserAttributeSimilarityOptions {
  /** From this likeness on a password is refused: 0.1 (strict) to 1 (equal letters only); default 0.7. */
  readonly maxSimilarity?: number
}

/** The attributes, with the names that Django's user model gives them. */
const ATTRIBUTES = [
  { name: 'username', of: (owner: PasswordOwner) => owner.username },
  { name: 'email address', of: (owner: PasswordOwner) => owner.email },
] as const

/**
 * Not made of the letters of the username or e-mail address, or of a word of them. Likeness is `quick_ratio` of
 * Python's difflib, as in Django. The first attribute that is too similar is named.
 */
export function userAttributeSimilarity(options: UserAttributeSimilarityOptions = {}): PasswordValidator {
  const { maxSimilarity = 0.7 } = options
  if (!(maxSimilarity >= 0.1 && maxSimilarity <= 1)) {
    throw new TypeError(`maxSimilarity must be from 0.1 to 1, got ${String(maxSimilarity)}`)
  }
  return (password, owner) => {
    const letters = [...password.toLowerCase()]
    const tooSimilar = ATTRIBUTES.find(({ of }) => {
      const value = of(owner)?.toLowerCase()
      return value ? partsOf(value).some((part) => isSimilar(letters, [...part], maxSimilarity)) : false
    })
    return tooSimilar ? `The password is too similar to the ${tooSimilar.name}.` : null
  }
}

/** Python's `re.split(r'\W+', value) + [value]`: its `\w` is letters and numbers of any script, and `_`. */
const partsOf = (value: string) => [...value.split(/[^\p{L}\p{N}_]+/u), value]

function isSimilar(password: readonly string[], part: readonly string[], maxSimilarity: number): boolean {
  // A part so much shorter than the password cannot reach the ratio: Django's short cut, which also skips empty parts.
  const unreachable =
    password.length >= 10 * part.length && part.length < (maxSimilarity / 2) * password.length
  return !unreachable && quickRatio(password, part) >= maxSimilarity
}

/** Twice the letters in common, in any order, over all letters; 1 for two empty texts. */
function quickRatio(a: readonly string[], b: readonly string[]): number {
  const available = new Map<string, number>()
  for (const letter of b) available.set(letter, (available.get(letter) ?? 0) + 1)
  let common = 0
  for (const letter of a) {
    const left = available.get(letter) ?? 0
    if (left > 0) common += 1
    available.set(letter, left - 1)
  }
  return a.length + b.length === 0 ? 1 : (2 * common) / (a.length + b.length)
}

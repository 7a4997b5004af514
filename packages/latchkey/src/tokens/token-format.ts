/**
 * The text of secrets that can be told at sight, `lk_pat_<base62 secret><checksum>`: made for the token service, and
 * checked before anything is hashed or asked. A leaf of `tokens/`.
 */
import { randomAlphanumeric } from '../crypto/random.js'
import { allRequired, checkOptions, given, type Rules, rule, wholeNumber } from '../options.js'

/** What the secrets of one kind have in common; `secretFormat` makes one. */
export interface SecretFormat {
  /** Whose they are: the word that secret scanners look for. */
  readonly brand: string
  /** What they are: `pat` for personal access tokens. */
  readonly kind: string
  /** Random characters, 5.95 bits each. */
  readonly secretCharacters: number
}

/** 33 of them are 196 bits: the fewest that are 192 or more. */
const MIN_SECRET_CHARACTERS = 33
const MAX_SECRET_CHARACTERS = 200
const CHECKSUM_CHARACTERS = 6

const WORD = /^[a-z0-9]{1,16}$/

const NAME = rule('be 1 to 16 of a-z and 0-9', (value) => typeof value === 'string' && WORD.test(value))

const RULES: Rules<SecretFormat> = Object.freeze(
  allRequired({
    brand: NAME,
    kind: NAME,
    secretCharacters: wholeNumber(MIN_SECRET_CHARACTERS, MAX_SECRET_CHARACTERS),
  }),
)

/**
 * A format whose words and length work. Default of `secretCharacters` is 33.
 *
 * @throws TypeError that names the field which cannot work
 */
export function secretFormat(
  options: Omit<SecretFormat, 'secretCharacters'> & Partial<SecretFormat>,
): SecretFormat {
  const format: SecretFormat = { secretCharacters: MIN_SECRET_CHARACTERS, ...given(options) }
  checkOptions('secretFormat', format, RULES)
  return Object.freeze(format)
}

/** Whether the rest of a text is printable ASCII without blanks: only such a secret can stand in a header. */
export function isPrintable(text: string, from: number): boolean {
  // A loop takes half of what a regular expression takes.
  for (let index = from; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x21 || code > 0x7e) return false
  }
  return true
}

/** What every secret of a format begins with: `lk_pat_`. */
export function secretPrefix({ brand, kind }: SecretFormat): string {
  return `${brand}_${kind}_`
}

/**
 * A new secret of a format, from the system's generator.
 *
 * @throws TypeError as `secretFormat`: no short secret is made, wherever the format comes from
 */
export function newFormattedSecret(format: SecretFormat): string {
  const { secretCharacters } = secretFormat(format)
  const text = secretPrefix(format) + randomAlphanumeric(secretCharacters)
  return text + checksumText(crc32(text))
}

/**
 * Whether a text has the prefix, the length, the characters and the checksum of a format. Pure, and answers text of
 * any length in the time of one short secret.
 *
 * The checksum tells a token that was cut or mistyped, or a look-alike in a leak, from a real one without a look at the
 * store. It is no protection: anybody can compute it (ASVS lists CRCs as unfit for cryptography), so a well-formed
 * text is still unknown until its digest is found.
 *
 * Every change of one character and every exchange of two neighbours is noticed, not only nearly every one: a CRC-32
 * notices whatever lies within 32 bits, and `token-format.test.ts` shows it for the two characters between which
 * secret and checksum meet.
 */
export function isWellFormed(text: string, format: SecretFormat): boolean {
  const prefix = secretPrefix(format)
  return text.startsWith(prefix) && isWellFormedBehind(prefix, text, format)
}

/**
 * Whether a text would be well-formed if it began with this prefix, that of the format, in place of as many characters:
 * what has another prefix and the right checksum for this one has been tampered with.
 */
export function isWellFormedBehind(
  prefix: string,
  text: string,
  { secretCharacters }: SecretFormat,
): boolean {
  const checksumAt = prefix.length + secretCharacters
  if (text.length !== checksumAt + CHECKSUM_CHARACTERS) return false
  let crc = remainderOf(prefix)
  for (let at = prefix.length; at < checksumAt; at += 1) {
    const code = text.charCodeAt(at)
    if ((VALUES[code] ?? NO_DIGIT) === NO_DIGIT) return false
    crc = (crc >>> 8) ^ (REMAINDERS[(crc ^ code) & 0xff] ?? 0)
  }
  return checksumNumber(text, checksumAt) === ~crc >>> 0
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const NO_DIGIT = -1

/** Character code -> its value in base 62. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => DIGITS.indexOf(String.fromCharCode(code)))

/** Padded with zeros, so that a number has one text only. */
function checksumText(checksum: number): string {
  let text = ''
  for (let rest = checksum; text.length < CHECKSUM_CHARACTERS; rest = Math.floor(rest / 62)) {
    text = DIGITS.charAt(rest % 62) + text
  }
  return text
}

/** The number that the text from here on writes; NaN when it has another character. */
function checksumNumber(text: string, from: number): number {
  let number = 0
  for (let at = from; at < text.length; at += 1) {
    const value = VALUES[text.charCodeAt(at)] ?? NO_DIGIT
    if (value === NO_DIGIT) return Number.NaN
    number = number * 62 + value
  }
  return number
}

/** The remainder of each byte, as zlib, PNG and ISO 3309 have it. */
const REMAINDERS = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0)
  return remainder
})

/**
 * CRC-32 of a text, which is ASCII. By table: for texts as short as these it takes less time than the call into
 * `zlib.crc32`, which Node has from 20.15 and 22.2 on.
 */
function crc32(text: string): number {
  return ~remainderOf(text) >>> 0
}

/** What goes on with the next characters. */
function remainderOf(text: string): number {
  let crc = -1
  for (let at = 0; at < text.length; at += 1) {
    crc = (crc >>> 8) ^ (REMAINDERS[(crc ^ text.charCodeAt(at)) & 0xff] ?? 0)
  }
  return crc
}

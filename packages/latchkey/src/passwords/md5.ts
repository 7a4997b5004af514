/** Old Django's plain digests, verified so that their users can log in and be upgraded: `md5$salt$hex` and relatives. */
import { hash as digestOf } from 'node:crypto'
import { randomAlphanumeric } from '../crypto/random.js'
import { defineHasher, type PasswordHasher, SALT_CHARACTERS } from './hasher.js'

interface PlainDigest {
  readonly digest: 'md5' | 'sha1'
  /** Group 1: the salt; group 2: lower-case hex. */
  readonly pattern: RegExp
  readonly format: (salt: string, hex: string) => string
}

/** Django's `identify_hasher`: bare 32 hex digits, `md5$$` and `sha1$$` are the unsalted forms. */
const VARIANTS = {
  md5: {
    digest: 'md5',
    pattern: /^md5\$([^$]{1,128})\$([\da-f]{32})$/,
    format: (salt, hex) => `md5$${salt}$${hex}`,
  },
  sha1: {
    digest: 'sha1',
    pattern: /^sha1\$([^$]{1,128})\$([\da-f]{40})$/,
    format: (salt, hex) => `sha1$${salt}$${hex}`,
  },
  unsalted_md5: { digest: 'md5', pattern: /^(?:md5\$\$)?()([\da-f]{32})$/, format: (_salt, hex) => hex },
  unsalted_sha1: {
    digest: 'sha1',
    pattern: /^sha1\$\$()([\da-f]{40})$/,
    format: (_salt, hex) => `sha1$$${hex}`,
  },
} as const satisfies Record<string, PlainDigest>

/** The hasher `md5`. A guesser tries billions a second: for tests, and for rows that wait for their upgrade. */
export const md5 = () => plainDigestHasher('md5')

/** The hasher `sha1`. As fast to guess as `md5`. */
export const sha1 = () => plainDigestHasher('sha1')

/** The hasher `unsalted_md5`: bare hex, or `md5$$hex`. Only ever read: `hash` rejects with a TypeError. */
export const unsaltedMd5 = () => readOnly(plainDigestHasher('unsalted_md5'))

/** The hasher `unsalted_sha1`: `sha1$$hex`. Only ever read: `hash` rejects with a TypeError. */
export const unsaltedSha1 = () => readOnly(plainDigestHasher('unsalted_sha1'))

function plainDigestHasher(algorithm: keyof typeof VARIANTS): PasswordHasher {
  const { digest, pattern, format }: PlainDigest = VARIANTS[algorithm]
  return defineHasher<{ readonly salt: string }>({
    algorithm,
    digestBytes: digest === 'md5' ? 16 : 20,
    parse(encoded) {
      const [, salt, hex] = pattern.exec(encoded) ?? []
      return salt === undefined || hex === undefined
        ? null
        : { settings: { salt }, digest: Buffer.from(hex, 'hex') }
    },
    format: ({ salt }, bytes) => format(salt, bytes.toString('hex')),
    fresh: () => ({ salt: randomAlphanumeric(SALT_CHARACTERS) }),
    derive: async (password, { salt }) =>
      digestOf(digest, Buffer.concat([Buffer.from(salt, 'utf8'), password]), 'buffer'),
    work: () => ({ kind: algorithm, amount: 0 }),
    isWeaker: () => false,
  })
}

const readOnly = (hasher: PasswordHasher): PasswordHasher =>
  Object.freeze({
    ...hasher,
    hash: () => Promise.reject(new TypeError(`${hasher.algorithm} is verified, but never written`)),
  })

/** PBKDF2, Django's default: `pbkdf2_sha256$iterations$salt$base64` and its SHA-1 sister. */
import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { randomAlphanumeric } from '../crypto/random.js'
import { ANYTHING, checkOptions } from '../options.js'
import { decodeBase64, defineHasher, encodeBase64, type PasswordHasher, SALT_CHARACTERS } from './hasher.js'
import { integerOption } from './options.js'

const derive = promisify(pbkdf2)

/** Stored strings above this are not verified: a few seconds of one core. Django 6.1 writes 1,500,000. */
const MAX_ITERATIONS = 10_000_000

export interface Pbkdf2Options {
  /** Default 1,000,000, as Django 5.2 has it. Set it to that of a Django that shares the table. */
  readonly iterations?: number
}

const VARIANTS = {
  pbkdf2_sha256: { digest: 'sha256', digestBytes: 32 },
  pbkdf2_sha1: { digest: 'sha1', digestBytes: 20 },
} as const

interface Pbkdf2Settings {
  readonly iterations: number
  readonly salt: string
}

/** The hasher `pbkdf2_sha256`. Weaker means: fewer iterations. @throws TypeError naming a bad option. */
export const pbkdf2Sha256 = (options: Pbkdf2Options = {}) => pbkdf2Hasher('pbkdf2_sha256', options)

/** The hasher `pbkdf2_sha1`. Weaker means: fewer iterations. @throws TypeError naming a bad option. */
export const pbkdf2Sha1 = (options: Pbkdf2Options = {}) => pbkdf2Hasher('pbkdf2_sha1', options)

function pbkdf2Hasher(algorithm: keyof typeof VARIANTS, options: Pbkdf2Options): PasswordHasher {
  checkOptions('pbkdf2', options, { iterations: ANYTHING })
  const { digest, digestBytes } = VARIANTS[algorithm]
  const iterations = integerOption('iterations', options.iterations ?? 1_000_000, 1, MAX_ITERATIONS)
  const pattern = new RegExp(`^${algorithm}\\$([1-9]\\d{0,7})\\$([^$]{1,128})\\$([\\w+/=]{1,64})$`)
  return defineHasher<Pbkdf2Settings>({
    algorithm,
    digestBytes,
    parse(encoded) {
      const [, count, salt, digestText = ''] = pattern.exec(encoded) ?? []
      const stored = decodeBase64(digestText, 'padded')
      if (salt === undefined || stored?.length !== digestBytes || Number(count) > MAX_ITERATIONS) return null
      return { settings: { iterations: Number(count), salt }, digest: stored }
    },
    format: (settings, bytes) =>
      `${algorithm}$${settings.iterations}$${settings.salt}$${encodeBase64(bytes, 'padded')}`,
    fresh: () => ({ iterations, salt: randomAlphanumeric(SALT_CHARACTERS) }),
    derive: (password, settings, length) =>
      derive(password, settings.salt, settings.iterations, length, digest),
    work: (stored) => ({ kind: algorithm, amount: stored.iterations }),
    withWork: (stored, amount) => [{ ...stored, iterations: amount }],
    isWeaker: (stored) => stored.iterations < iterations,
  })
}

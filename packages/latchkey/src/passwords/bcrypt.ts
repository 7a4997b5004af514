/** bcrypt in Django's layouts: `bcrypt_sha256$$2b$12$…` (the hex SHA-256 of the password) and `bcrypt$$2b$12$…` (raw). */
import { hash as digestOf, randomBytes } from 'node:crypto'
import { LatchkeyError } from '../errors.js'
import { ANYTHING, checkOptions } from '../options.js'
import { defineHasher, type PasswordHasher } from './hasher.js'
import { integerOption } from './options.js'

/** Stored strings above this are not verified: 2^16 rounds are a few seconds of one core. Django writes 12. */
const MAX_ROUNDS = 16
/** The costs that stored strings can have. Differences of their works are sums of some of them. */
const ROUNDS = Array.from({ length: MAX_ROUNDS - 3 }, (_, index) => index + 4)
/** bcrypt reads no more bytes of a password than this. */
const MAX_RAW_BYTES = 72

export interface BcryptOptions {
  /** Base-2 logarithm of the number of rounds, 4 to 16; default 12. */
  readonly rounds?: number
  /** @internal Loads the optional peer. */
  readonly load?: () => Promise<BcryptPeer>
}

/** As much of @node-rs/bcrypt as is used. */
interface BcryptPeer {
  hash(password: Uint8Array, options: { salt: string }): Promise<string>
}

interface BcryptSettings {
  /** `2b`, or `2a` and `2y` of other writers: the same function. */
  readonly version: string
  readonly rounds: number
  readonly salt: string
}

const VARIANTS = {
  bcrypt_sha256: { prepare: (password: Buffer) => Buffer.from(digestOf('sha256', password, 'hex')) },
  bcrypt: { prepare: (password: Buffer) => password },
} as const

/** The hasher `bcrypt_sha256`. Weaker means: fewer rounds. Needs `@node-rs/bcrypt`. @throws TypeError naming a bad option. */
export const bcryptSha256 = (options: BcryptOptions = {}) => bcryptHasher('bcrypt_sha256', options)

/**
 * The hasher `bcrypt`. The format looks at the first 72 bytes of a password only: such rows are verified as Django
 * verifies them, but a new hash of a longer password is refused with `invalid`. Weaker means: fewer rounds.
 * Needs `@node-rs/bcrypt`. @throws TypeError naming a bad option.
 */
export const bcrypt = (options: BcryptOptions = {}) => bcryptHasher('bcrypt', options)

function bcryptHasher(algorithm: keyof typeof VARIANTS, options: BcryptOptions): PasswordHasher {
  checkOptions('bcrypt', options, { rounds: ANYTHING, load: ANYTHING })
  const { prepare } = VARIANTS[algorithm]
  const rounds = integerOption('rounds', options.rounds ?? 12, 4, MAX_ROUNDS)
  const load = options.load ?? (() => import('@node-rs/bcrypt'))
  // The last character of a salt carries 2 bits, that of a digest 4: one spelling each, as Django compares text.
  const pattern = new RegExp(
    `^${algorithm}\\$\\$(2[aby])\\$(\\d\\d)\\$([./A-Za-z0-9]{21}[.Oeu])([./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$`,
  )
  const toText = ({ version, rounds: cost, salt }: BcryptSettings) =>
    `$${version}$${String(cost).padStart(2, '0')}$${salt}`

  return defineHasher<BcryptSettings>({
    algorithm,
    digestBytes: 31,
    parse(encoded) {
      const [, version, cost, salt, digest] = pattern.exec(encoded) ?? []
      const inRange = Number(cost) >= 4 && Number(cost) <= MAX_ROUNDS
      if (version === undefined || salt === undefined || digest === undefined || !inRange) return null
      return { settings: { version, rounds: Number(cost), salt }, digest: Buffer.from(digest, 'ascii') }
    },
    format: (settings, digest) => `${algorithm}$${toText(settings)}${digest.toString('ascii')}`,
    fresh: () => ({ version: '2b', rounds, salt: bcryptBase64(randomBytes(16)) }),
    async derive(password, settings) {
      const peer = await load().catch((cause: unknown) => {
        throw new LatchkeyError('internal_error', {
          detail: `install @node-rs/bcrypt to verify ${algorithm} passwords`,
          cause,
        })
      })
      const text = await peer.hash(prepare(password), { salt: toText(settings) })
      return Buffer.from(text.slice(-31), 'ascii')
    },
    work: (stored) => ({ kind: 'bcrypt', amount: 2 ** stored.rounds }),
    withWork: (stored, amount) =>
      ROUNDS.filter((cost) => (amount & (2 ** cost)) !== 0).map((cost) => ({ ...stored, rounds: cost })),
    isWeaker: (stored) => stored.rounds < rounds,
    checkNew(password) {
      if (prepare(password).length > MAX_RAW_BYTES) {
        const message = `This password is too long. It must contain at most ${MAX_RAW_BYTES} bytes.`
        throw new LatchkeyError('invalid', { fields: { password: [message] } })
      }
    },
    decoyDigest: () => Buffer.from(bcryptBase64(randomBytes(23)), 'ascii'),
  })
}

const STANDARD_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const BCRYPT_ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** bcrypt's own Base64: the bits of the standard one, another alphabet, no padding. */
function bcryptBase64(data: Buffer): string {
  return data
    .toString('base64')
    .replace(/=+$/, '')
    .replace(/./g, (character) => BCRYPT_ALPHABET.charAt(STANDARD_ALPHABET.indexOf(character)))
}

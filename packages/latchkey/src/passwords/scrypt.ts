/** scrypt (RFC 7914) in Django's layout, `scrypt$N$salt$r$p$base64`: the default where Argon2 does not exist. */
import { scrypt as nodeScrypt } from 'node:crypto'
import { randomAlphanumeric } from '../crypto/random.js'
import { ANYTHING, checkOptions } from '../options.js'
import { decodeBase64, defineHasher, encodeBase64, type PasswordHasher, SALT_CHARACTERS } from './hasher.js'
import { integerOption } from './options.js'

/** Caps on stored costs: 512 MiB, and eight times the work of the default. Django writes N=16384, r=8, p=1 or 5. */
const MAX_MEMORY_BYTES = 512 * 1024 * 1024
const MAX_WORK = 8 * 2 ** 20
/** RFC 7914 allows more; these keep every product below far from overflow. */
const MAX_BLOCK_SIZE = 64
const MAX_PARALLELISM = 64

export interface ScryptOptions {
  /** `N`, a power of two; default 2^17, OWASP's first choice: 128 MiB with r=8. */
  readonly cost?: number
  /** `r`; default 8. */
  readonly blockSize?: number
  /** `p`; default 1. */
  readonly parallelism?: number
}

interface ScryptSettings {
  readonly cost: number
  readonly blockSize: number
  readonly parallelism: number
  readonly salt: string
}

const memoryBytes = (s: ScryptSettings) => 128 * s.cost * s.blockSize
const work = (s: ScryptSettings) => s.cost * s.blockSize * s.parallelism
const isBounded = (s: ScryptSettings) =>
  memoryBytes(s) <= MAX_MEMORY_BYTES &&
  work(s) <= MAX_WORK &&
  s.blockSize <= MAX_BLOCK_SIZE &&
  s.parallelism <= MAX_PARALLELISM

/**
 * The hasher `scrypt`. Weaker means: less memory (N·r) or less work (N·r·p), and not more of the other.
 * @throws TypeError naming a bad option.
 */
export function scrypt(options: ScryptOptions = {}): PasswordHasher {
  checkOptions('scrypt', options, { cost: ANYTHING, blockSize: ANYTHING, parallelism: ANYTHING })
  const configured = {
    cost: integerOption('cost', options.cost ?? 2 ** 17, 2, 2 ** 22),
    blockSize: integerOption('blockSize', options.blockSize ?? 8, 1, MAX_BLOCK_SIZE),
    parallelism: integerOption('parallelism', options.parallelism ?? 1, 1, MAX_PARALLELISM),
    salt: '',
  }
  if (!isPowerOfTwo(configured.cost)) {
    throw new TypeError(`cost must be a power of two, got ${configured.cost}`)
  }
  if (!isBounded(configured)) {
    throw new TypeError('cost * blockSize is limited to 2^22, and cost * blockSize * parallelism to 2^23')
  }
  return defineHasher<ScryptSettings>({
    algorithm: 'scrypt',
    digestBytes: 64,
    parse,
    format: (s, digest) =>
      `scrypt$${s.cost}$${s.salt}$${s.blockSize}$${s.parallelism}$${encodeBase64(digest, 'padded')}`,
    fresh: () => ({ ...configured, salt: randomAlphanumeric(SALT_CHARACTERS) }),
    derive,
    work: ({ cost, blockSize, parallelism }) => ({
      kind: `scrypt N=${cost},r=${blockSize},p=${parallelism}`,
      amount: 1,
    }),
    isWeaker: (stored) =>
      memoryBytes(stored) <= memoryBytes(configured) &&
      work(stored) <= work(configured) &&
      (memoryBytes(stored) < memoryBytes(configured) || work(stored) < work(configured)),
  })
}

const ENCODED = /^scrypt\$([1-9]\d{0,6})\$([^$]{1,128})\$([1-9]\d?)\$([1-9]\d?)\$([\w+/=]{88})$/

function parse(encoded: string): { settings: ScryptSettings; digest: Buffer } | null {
  const [, cost, salt, blockSize, parallelism, digestText = ''] = ENCODED.exec(encoded) ?? []
  const digest = decodeBase64(digestText, 'padded')
  if (salt === undefined || digest?.length !== 64) return null
  const settings = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallelism: Number(parallelism),
    salt,
  }
  return settings.cost > 1 && isPowerOfTwo(settings.cost) && isBounded(settings) ? { settings, digest } : null
}

const isPowerOfTwo = (value: number) => Number.isInteger(Math.log2(value))

function derive(password: Buffer, settings: ScryptSettings, digestBytes: number): Promise<Buffer> {
  const { cost: N, blockSize: r, parallelism: p } = settings
  // What OpenSSL counts: V, B and two blocks of scratch.
  const maxmem = 128 * r * (N + p + 2) + 1024
  return new Promise((resolve, reject) => {
    nodeScrypt(password, settings.salt, digestBytes, { N, r, p, maxmem }, (error, digest) =>
      error ? reject(error) : resolve(digest),
    )
  })
}

/** Argon2 (RFC 9106), the default password hash: `argon2$argon2id$v=19$m=..,t=..,p=..$salt$hash`, as Django writes it. */
import { randomAlphanumeric } from '../crypto/random.js'
import { LatchkeyError } from '../errors.js'
import { ANYTHING, checkOptions } from '../options.js'
import {
  type Argon2,
  type Argon2Engine,
  type Argon2Settings,
  type Argon2Variant,
  nodeEngine,
  peerEngine,
  threadEngine,
} from './argon2-engines.js'
import { decodeBase64, defineHasher, encodeBase64, type PasswordHasher, SALT_CHARACTERS } from './hasher.js'
import { integerOption } from './options.js'

/**
 * Caps on stored costs, so that one row can hold a slot for about a second and half a gigabyte at most:
 * `MAX_WORK` is memory times passes. Django's default (102400 KiB, 2 passes, 8 lanes) is far below.
 */
const MAX_MEMORY_KIB = 512 * 1024
const MAX_WORK = 4 * 1024 * 1024
const MAX_PARALLELISM = 64

export interface Argon2idOptions {
  /** Memory in KiB; default 19456. OWASP and ASVS ask for 47104 with 1 pass, 19456 with 2, or 12288 with 3. */
  readonly memoryKib?: number
  /** Passes over the memory (`t`); default 2. */
  readonly passes?: number
  /** Lanes (`p`); default 1. */
  readonly parallelism?: number
  /** @internal Where the function is looked for, in this order. */
  readonly engines?: readonly Argon2Engine[]
}

/**
 * The hasher `argon2`. Writes argon2id with 32 bytes of digest; verifies argon2id, argon2i and argon2d with any
 * parameters below the caps and digests of any usual length (argon2-cffi wrote 16 bytes before version 21.2).
 *
 * Weaker means: less memory or fewer passes, and not more of the other. A row with more of either stays as it is: no
 * upgrade lowers one. Lanes do not count: memory is the sum over all lanes and the work is memory times passes, so more
 * lanes only let one computation use more cores. (If they counted, Django's old 512 KiB in 2 lanes could never be upgraded.)
 *
 * Computed by the optional peer `@node-rs/argon2`, in threads of our own where that can be, else by Node's own
 * `crypto.argon2` (24.7 and later), which took three times as long where both were measured.
 * @throws TypeError naming a bad option. `hash` and `verify` reject with `internal_error` where neither exists.
 */
export function argon2id(options: Argon2idOptions = {}): PasswordHasher {
  checkOptions('argon2id', options, {
    memoryKib: ANYTHING,
    passes: ANYTHING,
    parallelism: ANYTHING,
    engines: ANYTHING,
  })
  const parallelism = integerOption('parallelism', options.parallelism ?? 1, 1, MAX_PARALLELISM)
  // RFC 9106 section 3.1: at least 8 KiB per lane.
  const memoryKib = integerOption('memoryKib', options.memoryKib ?? 19456, 8 * parallelism, MAX_MEMORY_KIB)
  const passes = integerOption('passes', options.passes ?? 2, 1, Math.floor(MAX_WORK / memoryKib))
  const engine = findEngine(options.engines ?? [threadEngine, peerEngine, nodeEngine])

  return defineHasher<Argon2Settings>({
    algorithm: 'argon2',
    digestBytes: 32,
    takesTurns: true,
    parse,
    format: ({ variant, memoryKib: m, passes: t, parallelism: p, salt }, digest) =>
      `argon2$${variant}$v=19$m=${m},t=${t},p=${p}$${encodeBase64(salt, 'bare')}$${encodeBase64(digest, 'bare')}`,
    fresh: () => ({
      variant: 'argon2id',
      memoryKib,
      passes,
      parallelism,
      salt: Buffer.from(randomAlphanumeric(SALT_CHARACTERS)),
    }),
    async derive(password, settings, digestBytes, turns) {
      const argon2 = await engine()
      if (argon2 === null) {
        throw new LatchkeyError('internal_error', {
          detail: 'argon2 is not available: install @node-rs/argon2, or use Node 24.7 or later',
        })
      }
      return argon2(password, settings, digestBytes, turns)
    },
    work: ({ variant, memoryKib: m, passes: t, parallelism: p }) => ({
      kind: `${variant} m=${m},t=${t},p=${p}`,
      amount: 1,
    }),
    isWeaker: (stored) =>
      stored.memoryKib <= memoryKib &&
      stored.passes <= passes &&
      (stored.memoryKib < memoryKib || stored.passes < passes),
    isAvailable: async () => (await engine()) !== null,
  })
}

/** Salts of 8 to 64 bytes and digests of 4 to 128, without `=`. */
const ENCODED =
  /^argon2\$(argon2(?:id|i|d))\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d{0,6}),p=([1-9]\d?)\$([\w+/]{11,86})\$([\w+/]{6,171})$/

function parse(encoded: string): { settings: Argon2Settings; digest: Buffer } | null {
  const [, variant, m, t, p, saltText = '', digestText = ''] = ENCODED.exec(encoded) ?? []
  const salt = decodeBase64(saltText, 'bare')
  const digest = decodeBase64(digestText, 'bare')
  const memoryKib = Number(m)
  const passes = Number(t)
  const parallelism = Number(p)
  const fits =
    memoryKib <= MAX_MEMORY_KIB &&
    memoryKib * passes <= MAX_WORK &&
    parallelism <= MAX_PARALLELISM &&
    memoryKib >= 8 * parallelism
  if (!isVariant(variant) || salt === null || digest === null || !fits) return null
  return { settings: { variant, memoryKib, passes, parallelism, salt }, digest }
}

function isVariant(text: string | undefined): text is Argon2Variant {
  return text === 'argon2id' || text === 'argon2i' || text === 'argon2d'
}

/** The first engine that is there; looked for once, at first use. */
function findEngine(engines: readonly Argon2Engine[]): () => Promise<Argon2 | null> {
  let found: Promise<Argon2 | null> | undefined
  const find = async () => {
    for (const engine of engines) {
      const argon2 = await engine()
      if (argon2 !== null) return argon2
    }
    return null
  }
  return () => {
    found ??= find()
    return found
  }
}

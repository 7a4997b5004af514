/** Argon2 (RFC 9106), the default password hash: `argon2$argon2id$v=19$m=..,t=..,p=..$salt$hash`, as Django writes it. */
import * as nodeCrypto from 'node:crypto'
import { randomAlphanumeric } from '../crypto/random.js'
import { LatchkeyError } from '../errors.js'
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

interface Argon2Settings {
  readonly variant: Argon2Variant
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
}

type Argon2Variant = 'argon2d' | 'argon2i' | 'argon2id'

/** Computes Argon2 version 1.3 off the event loop. */
type Argon2 = (password: Buffer, settings: Argon2Settings, digestBytes: number) => Promise<Uint8Array>

/** A place where Argon2 may be found; null when this machine does not have it. */
export type Argon2Engine = () => Promise<Argon2 | null>

/**
 * The hasher `argon2`. Writes argon2id with 32 bytes of digest; verifies argon2id, argon2i and argon2d with any
 * parameters below the caps and digests of any usual length (argon2-cffi wrote 16 bytes before version 21.2).
 *
 * Weaker means: less memory or fewer passes, and not more of the other. A row with more of either stays as it is: no
 * upgrade lowers one. Lanes do not count: memory is the sum over all lanes and the work is memory times passes, so more
 * lanes only let one computation use more cores. (If they counted, Django's old 512 KiB in 2 lanes could never be upgraded.)
 *
 * Computed by the optional peer `@node-rs/argon2`, else by Node's own `crypto.argon2` (24.7 and later), which took
 * three times as long where both were measured.
 * @throws TypeError naming a bad option. `hash` and `verify` reject with `internal_error` where neither exists.
 */
export function argon2id(options: Argon2idOptions = {}): PasswordHasher {
  const parallelism = integerOption('parallelism', options.parallelism ?? 1, 1, MAX_PARALLELISM)
  // RFC 9106 section 3.1: at least 8 KiB per lane.
  const memoryKib = integerOption('memoryKib', options.memoryKib ?? 19456, 8 * parallelism, MAX_MEMORY_KIB)
  const passes = integerOption('passes', options.passes ?? 2, 1, Math.floor(MAX_WORK / memoryKib))
  const engine = findEngine(options.engines ?? [peerEngine, nodeEngine])

  return defineHasher<Argon2Settings>({
    algorithm: 'argon2',
    digestBytes: 32,
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
    async derive(password, settings, digestBytes) {
      const argon2 = await engine()
      if (argon2 === null) {
        throw new LatchkeyError('internal_error', {
          detail: 'argon2 is not available: install @node-rs/argon2, or use Node 24.7 or later',
        })
      }
      return argon2(password, settings, digestBytes)
    },
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

/** Node's `crypto.argon2`, as far as it is used; the types of Node 20 do not have it. */
type NodeArgon2 = (
  variant: Argon2Variant,
  parameters: {
    message: Uint8Array
    nonce: Uint8Array
    memory: number
    passes: number
    parallelism: number
    tagLength: number
  },
  done: (error: Error | null, digest: Uint8Array) => void,
) => void

/** Node's own. Tried once: a Node that is linked to an OpenSSL before 3.2 has the function, but it throws. */
export const nodeEngine: Argon2Engine = async () => {
  const candidate: unknown = Reflect.get(nodeCrypto, 'argon2')
  if (typeof candidate !== 'function') return null
  const compute = candidate as NodeArgon2
  const argon2: Argon2 = (message, settings, tagLength) =>
    new Promise((resolve, reject) => {
      const { variant, memoryKib: memory, passes, parallelism, salt: nonce } = settings
      compute(variant, { message, nonce, memory, passes, parallelism, tagLength }, (error, digest) =>
        error ? reject(error) : resolve(digest),
      )
    })
  const smallest: Argon2Settings = {
    variant: 'argon2id',
    memoryKib: 8,
    passes: 1,
    parallelism: 1,
    salt: Buffer.alloc(8),
  }
  return argon2(Buffer.alloc(1), smallest, 4).then(
    () => argon2,
    () => null,
  )
}

/** The numbers of `Algorithm` in @node-rs/argon2. */
const PEER_VARIANTS = { argon2d: 0, argon2i: 1, argon2id: 2 } as const

/** The optional peer; null when it is not installed or has no binary for this machine. */
export const peerEngine: Argon2Engine = async () => {
  const peer = await import('@node-rs/argon2').catch(() => null)
  if (peer === null) return null
  return (password, settings, outputLen) =>
    peer.hashRaw(password, {
      algorithm: PEER_VARIANTS[settings.variant],
      memoryCost: settings.memoryKib,
      timeCost: settings.passes,
      parallelism: settings.parallelism,
      salt: settings.salt,
      outputLen,
    })
}

/**
 * Imports and checks the keys of JWTs at start-up, so that a wrong or weak key never signs anything. `jws.ts` takes
 * what these functions return and trusts it: the key fixes the algorithm.
 */
import { createHash, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { types } from 'node:util'
import { ANYTHING, checkOptions } from '../options.js'
import { type AlgorithmRow, isJwsAlgorithm, JWS_ALGORITHMS, type JwsAlgorithm } from './algorithms.js'

/** RFC 7518, 3.2 asks for the hash size; Django's `SECRET_KEY`, 50 characters, signs HS512 too. 256 bits are the floor. */
const MIN_SECRET_BYTES = 32
/** RFC 7518, 3.3. New keys should have 3072: 2048 is worth 112 bits, and kept for keys that are in use. */
const MIN_RSA_BITS = 2048
/** A `kid` is a look-up key, from the token's header too: longer ones are refused before anything is looked up. */
export const MAX_KID_LENGTH = 256

/** What verifies: a secret or a public key, and the one algorithm it may be used with. */
export interface VerifyingKey {
  readonly algorithm: JwsAlgorithm
  readonly kid: string | undefined
  /** The secret of HS*, else the public key. Never the private one. */
  readonly verifyWith: KeyObject
  /** Length of every signature of this key. */
  readonly signatureBytes: number
}

/** What signs, and verifies what it signed. */
export interface SigningKey extends VerifyingKey {
  /** The secret of HS*, else the private key. */
  readonly signWith: KeyObject
}

export interface SigningKeyOptions {
  /** One of the 13 names of RFC 7518 and RFC 8037; `none` is not among them. */
  readonly algorithm: JwsAlgorithm
  /** HS*: the secret itself (its UTF-8 bytes are the key). Else: the private key, as PEM without passphrase. */
  readonly key: string | KeyObject
  /** The public half, PEM or certificate. Only a cross-check: it is derived from `key`. Not for HS*. */
  readonly verifyingKey?: string | KeyObject
  /** Default: none for HS*, else the RFC 7638 thumbprint. Null: none. */
  readonly kid?: string | null
}

export interface VerifyingKeyOptions {
  readonly algorithm: JwsAlgorithm
  /** HS*: the secret itself. Else: the public key or certificate, as PEM. */
  readonly key: string | KeyObject
  /** As in `SigningKeyOptions`. */
  readonly kid?: string | null
}

/** What they must be depends on the algorithm. */
const KEY_RULES = Object.freeze({ algorithm: ANYTHING, key: ANYTHING, kid: ANYTHING })

/**
 * A key that signs, checked and frozen.
 *
 * @throws TypeError `signingKey.<option>: …` for an unknown algorithm, a key of another type or curve, one that is too
 *   short (HS*: 32 bytes, RSA: 2048 bits), a PEM as an HS* secret, or two halves that do not belong together
 */
export function signingKey(options: SigningKeyOptions): SigningKey {
  checkOptions('signingKey', options, { ...KEY_RULES, verifyingKey: ANYTHING }, 'signingKey.')
  const row = rowOf('signingKey', options.algorithm)
  if (row.keyType === 'secret') {
    if (options.verifyingKey !== undefined) throw wrong('signingKey.verifyingKey', 'HS* has one key for both')
    const secret = importSecret('signingKey.key', options.key)
    return Object.freeze({ ...describe('signingKey', options, row, secret), signWith: secret })
  }
  const key = importKey('signingKey.key', 'private', options.key)
  const publicKey = createPublicKey(key)
  const described = describe('signingKey', options, row, publicKey)
  if (options.verifyingKey !== undefined) {
    const given = importKey('signingKey.verifyingKey', 'public', options.verifyingKey)
    if (!given.equals(publicKey)) throw wrong('signingKey.verifyingKey', 'not the public half of key')
  }
  return Object.freeze({ ...described, signWith: key })
}

/**
 * A key that only verifies: one of another issuer, or a retired one of ours.
 *
 * @throws TypeError `verifyingKey.<option>: …` as `signingKey` does
 */
export function verifyingKey(options: VerifyingKeyOptions): VerifyingKey {
  checkOptions('verifyingKey', options, KEY_RULES, 'verifyingKey.')
  const row = rowOf('verifyingKey', options.algorithm)
  const key =
    row.keyType === 'secret'
      ? importSecret('verifyingKey.key', options.key)
      : importKey('verifyingKey.key', 'public', options.key)
  return Object.freeze(describe('verifyingKey', options, row, key))
}

/** RFC 7638: SHA-256 over the members that make the public key, in the order of their names. */
export function jwkThumbprint(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: 'jwk' })
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

function rowOf(where: string, algorithm: unknown): AlgorithmRow {
  if (isJwsAlgorithm(algorithm)) return JWS_ALGORITHMS[algorithm]
  throw wrong(`${where}.algorithm`, `must be one of ${Object.keys(JWS_ALGORITHMS).join(', ')}`)
}

function describe(
  where: string,
  options: VerifyingKeyOptions,
  row: AlgorithmRow,
  verifyWith: KeyObject,
): VerifyingKey {
  checkFit(`${where}.key`, options.algorithm, row, verifyWith)
  return {
    algorithm: options.algorithm,
    kid: kidOf(where, options.kid, verifyWith),
    verifyWith,
    signatureBytes: row.signatureBytes ?? Math.ceil(modulusBits(verifyWith) / 8),
  }
}

/** The confusion of a public key with a secret, and of one curve with another, ends here. */
function checkFit(where: string, algorithm: string, row: AlgorithmRow, key: KeyObject): void {
  if (row.keyType === 'secret') {
    if ((key.symmetricKeySize ?? 0) < MIN_SECRET_BYTES) {
      throw wrong(where, `${algorithm} needs a secret of at least ${MIN_SECRET_BYTES} bytes (RFC 7518, 3.2)`)
    }
    return
  }
  if (key.asymmetricKeyType !== row.keyType) {
    throw wrong(
      where,
      `${algorithm} needs a key of type ${row.keyType}, this one is ${key.asymmetricKeyType}`,
    )
  }
  if (row.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== row.curve) {
    throw wrong(where, `${algorithm} needs a key on the curve ${row.curve}`)
  }
  if (row.keyType === 'rsa' && modulusBits(key) < MIN_RSA_BITS) {
    throw wrong(where, `${algorithm} needs a key of at least ${MIN_RSA_BITS} bits`)
  }
}

function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0
}

function kidOf(where: string, kid: string | null | undefined, key: KeyObject): string | undefined {
  if (kid === null || (kid === undefined && key.type === 'secret')) return undefined
  if (kid === undefined) return jwkThumbprint(key)
  if (typeof kid === 'string' && kid.length > 0 && kid.length <= MAX_KID_LENGTH) return kid
  throw wrong(`${where}.kid`, `must be a text of 1 to ${MAX_KID_LENGTH} characters`)
}

function importSecret(where: string, key: string | KeyObject): KeyObject {
  if (types.isKeyObject(key)) {
    if (key.type === 'secret') return key
    throw wrong(where, `HS* needs a secret, this is a ${key.type} key`)
  }
  if (typeof key !== 'string') throw wrong(where, 'must be a text or a KeyObject')
  // A published key as the secret would let everybody sign.
  if (/-----BEGIN |^\s*ssh-/.test(key)) throw wrong(where, 'looks like a PEM or SSH key, not like a secret')
  return createSecretKey(key, 'utf8')
}

const IMPORTERS = { private: createPrivateKey, public: createPublicKey } as const

function importKey(where: string, type: 'private' | 'public', key: string | KeyObject): KeyObject {
  if (types.isKeyObject(key)) {
    if (key.type === type) return key
    if (key.type === 'private') return createPublicKey(key)
    throw wrong(where, `must be a ${type} key, this is a ${key.type} key`)
  }
  if (typeof key !== 'string') throw wrong(where, 'must be a PEM or a KeyObject')
  try {
    return IMPORTERS[type](key)
  } catch (cause) {
    throw wrong(where, `must be a ${type} key as PEM, without passphrase`, cause)
  }
}

function wrong(option: string, text: string, cause?: unknown): TypeError {
  return new TypeError(`${option}: ${text}`, { cause })
}

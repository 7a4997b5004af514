/**
 * Every signature algorithm a JWT may use, as one table over `node:crypto` (RFC 7518, 3.1; RFC 8037, 3.1). Keys are
 * checked against its rows, and `jws.ts` signs and verifies by them.
 */
import { constants, createHmac, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'

interface HmacRow {
  readonly keyType: 'secret'
  readonly hash: string
  readonly signatureBytes: number
}

interface AsymmetricRow {
  readonly keyType: 'rsa' | 'ec' | 'ed25519'
  /** Null: the algorithm hashes by itself (RFC 8032). */
  readonly hash: string | null
  /** Of EC keys: OpenSSL's name of the one curve that goes with the hash. */
  readonly curve?: string
  /** Null: as long as the key's modulus. */
  readonly signatureBytes: number | null
  /** How `node:crypto` is told about encoding and padding. */
  readonly options: {
    readonly dsaEncoding?: 'ieee-p1363'
    readonly padding?: number
    readonly saltLength?: number
  }
}

export type AlgorithmRow = HmacRow | AsymmetricRow

const hmac = (bits: number) =>
  ({ keyType: 'secret', hash: `sha${bits}`, signatureBytes: bits / 8 }) satisfies AlgorithmRow

const pkcs1 = (bits: number) =>
  ({
    keyType: 'rsa',
    hash: `sha${bits}`,
    signatureBytes: null,
    options: { padding: constants.RSA_PKCS1_PADDING },
  }) satisfies AlgorithmRow

/** RFC 7518, 3.5: the salt is exactly as long as the hash, when signing and when verifying. */
const pss = (bits: number) =>
  ({
    ...pkcs1(bits),
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 },
  }) satisfies AlgorithmRow

/** RFC 7518, 3.4: the two numbers side by side, never DER. */
const ecdsa = (bits: number, curve: string, signatureBytes: number) =>
  ({
    keyType: 'ec',
    hash: `sha${bits}`,
    curve,
    signatureBytes,
    options: { dsaEncoding: 'ieee-p1363' },
  }) satisfies AlgorithmRow

const ALGORITHMS = {
  HS256: hmac(256),
  HS384: hmac(384),
  HS512: hmac(512),
  RS256: pkcs1(256),
  RS384: pkcs1(384),
  RS512: pkcs1(512),
  PS256: pss(256),
  PS384: pss(384),
  PS512: pss(512),
  ES256: ecdsa(256, 'prime256v1', 64),
  ES384: ecdsa(384, 'secp384r1', 96),
  ES512: ecdsa(512, 'secp521r1', 132),
  EdDSA: { keyType: 'ed25519', hash: null, signatureBytes: 64, options: {} },
} satisfies Record<string, AlgorithmRow>

export type JwsAlgorithm = keyof typeof ALGORITHMS

/** `alg` -> how to sign and verify, and what key it takes. There is no `none`. */
export const JWS_ALGORITHMS: Readonly<Record<JwsAlgorithm, AlgorithmRow>> = Object.freeze(ALGORITHMS)

/** Whether a text from a token or a setting names a row: never something inherited, such as `constructor`. */
export function isJwsAlgorithm(name: unknown): name is JwsAlgorithm {
  return typeof name === 'string' && Object.hasOwn(JWS_ALGORITHMS, name)
}

/** The signature over an ASCII text. `key` is a secret or a private key that fits the algorithm. */
export function signText(algorithm: JwsAlgorithm, key: KeyObject, text: string): Buffer {
  const row = JWS_ALGORITHMS[algorithm]
  if (row.keyType === 'secret') return createHmac(row.hash, key).update(text, 'latin1').digest()
  return sign(row.hash, Buffer.from(text, 'latin1'), { key, ...row.options })
}

/**
 * Whether `signature` is one over an ASCII text. `key` is a secret or a public key that fits the algorithm;
 * `signature` has the algorithm's length. HMACs are compared in constant time.
 */
export function verifyText(
  algorithm: JwsAlgorithm,
  key: KeyObject,
  text: string,
  signature: Uint8Array,
): boolean {
  const row = JWS_ALGORITHMS[algorithm]
  if (row.keyType === 'secret') {
    return timingSafeEqual(createHmac(row.hash, key).update(text, 'latin1').digest(), signature)
  }
  return verify(row.hash, Buffer.from(text, 'latin1'), { key, ...row.options }, signature)
}

/**
 * Public keys as JSON Web Keys (RFC 7517): how ours are stored and published, and how those of another issuer are read.
 */
import { createPublicKey } from 'node:crypto'
import { isJwsAlgorithm, JWS_ALGORITHMS, type JwsAlgorithm } from './algorithms.js'
import { type VerifyingKey, verifyingKey } from './signing-key.js'

/** A public key as it is published. */
export interface PublicJwk {
  readonly kty: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
  readonly kid?: string
  readonly alg: JwsAlgorithm
  readonly use: 'sig'
}

/** The key as others may see it; null for a secret (HS*), which nobody may. */
export function publicJwk({ algorithm, kid, verifyWith }: VerifyingKey): PublicJwk | null {
  if (verifyWith.type !== 'public') return null
  const { kty = '', crv, x, y, n, e } = verifyWith.export({ format: 'jwk' })
  return Object.freeze({
    kty,
    ...(crv === undefined ? {} : { crv }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    ...(n === undefined ? {} : { n }),
    ...(e === undefined ? {} : { e }),
    ...(kid === undefined ? {} : { kid }),
    alg: algorithm,
    use: 'sig',
  })
}

/**
 * What a JWK verifies with; null when that is nothing: a secret, a key for encryption, a type, curve or algorithm that
 * is not of our table, or an RSA key that is too short. Private members are not looked at. The `kid` is the JWK's own,
 * else its thumbprint.
 */
export function verifyingKeyOf(jwk: unknown): VerifyingKey | null {
  if (typeof jwk !== 'object' || jwk === null) return null
  const { kty, crv, x, y, n, e, kid, alg, use, key_ops: operations } = jwk as Record<string, unknown>
  const algorithm = alg === undefined ? algorithmFor(kty, crv) : alg
  if (!isJwsAlgorithm(algorithm) || JWS_ALGORITHMS[algorithm].keyType === 'secret') return null
  if (use !== undefined && use !== 'sig') return null
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return null
  if (kid !== undefined && typeof kid !== 'string') return null
  try {
    const members = JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as Record<string, string>
    const key = createPublicKey({ format: 'jwk', key: members })
    return verifyingKey({ algorithm, key, ...(kid === undefined ? {} : { kid }) })
  } catch {
    // Whatever OpenSSL or our own rules have against it: it is no key for us.
    return null
  }
}

/** RFC 7517, 4.4: `alg` may be missing. A curve says it all; of RSA's algorithms RS256 is what issuers mean. */
function algorithmFor(kty: unknown, crv: unknown): JwsAlgorithm | undefined {
  if (kty === 'RSA') return 'RS256'
  return typeof crv === 'string' ? BY_CURVE.get(crv) : undefined
}

const BY_CURVE: ReadonlyMap<string, JwsAlgorithm> = new Map([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
  ['Ed25519', 'EdDSA'],
])

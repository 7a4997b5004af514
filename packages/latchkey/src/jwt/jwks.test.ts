import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { exportJWK, importJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { JwsAlgorithm } from './algorithms.js'
import { publicJwk, verifyingKeyOf } from './jwks.js'
import { verifyJws } from './jws.js'
import { signingKey, verifyingKey } from './signing-key.js'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const smallRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const ed25519 = generateKeyPairSync('ed25519')
const ed448 = generateKeyPairSync('ed448')
const x25519 = generateKeyPairSync('x25519')

const PAIRS: ReadonlyArray<
  readonly [JwsAlgorithm, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }]
> = [
  ['RS256', rsa],
  ['PS384', rsa],
  ['ES256', p256],
  ['ES384', p384],
  ['ES512', p521],
  ['EdDSA', ed25519],
]

describe('publicJwk', () => {
  it.each(PAIRS)(
    'shows a key of %s as jose does, and nothing private',
    async (algorithm, { privateKey, publicKey }) => {
      const key = signingKey({ algorithm, key: privateKey })
      const jwk = publicJwk(key)
      expect(jwk).toEqual({ ...(await exportJWK(publicKey)), kid: key.kid, alg: algorithm, use: 'sig' })
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(jwk).not.toHaveProperty(member)
    },
  )

  it('shows no secret', () => {
    expect(publicJwk(signingKey({ algorithm: 'HS256', key: 's'.repeat(32) }))).toBeNull()
    expect(publicJwk(verifyingKey({ algorithm: 'HS512', key: 's'.repeat(32) }))).toBeNull()
  })

  it('leaves out a kid that is not there', () => {
    expect(
      publicJwk(verifyingKey({ algorithm: 'ES256', key: p256.publicKey, kid: null })),
    ).not.toHaveProperty('kid')
  })
})

describe('verifyingKeyOf', () => {
  it.each(PAIRS)(
    'verifies with a key of %s what jose signed',
    async (algorithm, { privateKey, publicKey }) => {
      const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: algorithm, use: 'sig' }
      const key = verifyingKeyOf(JSON.parse(JSON.stringify(jwk)))
      const token = await new SignJWT({ a: 1 })
        .setProtectedHeader({ alg: algorithm, kid: 'k' })
        .sign(privateKey)
      expect(key).toMatchObject({ algorithm, kid: 'k' })
      expect(verifyJws(token, key === null ? [] : [key]).payload).toEqual({ a: 1 })
    },
  )

  it.each(PAIRS.filter(([algorithm]) => algorithm !== 'PS384'))(
    'knows %s by type and curve where the JWK does not say, and the kid by its thumbprint',
    async (algorithm, { publicKey }) => {
      const { kid } = verifyingKey({ algorithm, key: publicKey })
      expect(verifyingKeyOf(await exportJWK(publicKey))).toMatchObject({ algorithm, kid })
    },
  )

  it('does not look at private members', async () => {
    const key = verifyingKeyOf(await exportJWK(p256.privateKey))
    expect(key?.verifyWith.type).toBe('public')
    expect(key).not.toHaveProperty('signWith')
    await expect(importJWK(publicJwk(key as NonNullable<typeof key>) ?? {})).resolves.toHaveProperty(
      'type',
      'public',
    )
  })

  it('takes what is meant for signatures only, of types and sizes that are safe', async () => {
    const ec = await exportJWK(p256.publicKey)
    const wrong: unknown[] = [
      null,
      'text',
      [],
      {},
      { kty: 'oct', k: Buffer.alloc(32).toString('base64url') },
      { kty: 'oct', k: Buffer.alloc(32).toString('base64url'), alg: 'HS256' },
      { ...ec, alg: 'HS256' },
      { ...ec, alg: 'none' },
      { ...ec, alg: 'ES384' },
      { ...ec, alg: 'RS256' },
      { ...ec, alg: 'constructor' },
      { ...ec, use: 'enc' },
      { ...ec, key_ops: ['sign'] },
      { ...ec, key_ops: 'verify' },
      { ...ec, kid: 1 },
      { ...ec, kid: 'x'.repeat(257) },
      { ...ec, kid: '' },
      { ...ec, crv: '__proto__' },
      { ...ec, x: ec.y },
      { ...ec, y: undefined },
      { ...ec, y: {} },
      await exportJWK(smallRsa.publicKey),
      await exportJWK(ed448.publicKey),
      await exportJWK(x25519.publicKey),
    ]
    for (const jwk of wrong) expect(verifyingKeyOf(jwk), JSON.stringify(jwk)).toBeNull()
    expect(verifyingKeyOf({ ...ec, use: 'sig', key_ops: ['verify'], kid: '__proto__' })?.kid).toBe(
      '__proto__',
    )
  })
})

import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import type { JwsAlgorithm } from './algorithms.js'
import { jwkThumbprint, signingKey, verifyingKey } from './signing-key.js'

const SECRET = 's'.repeat(32)
const pem = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const smallRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const pssRsa = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const k256 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
const ed25519 = generateKeyPairSync('ed25519')
const ed448 = generateKeyPairSync('ed448')
const x25519 = generateKeyPairSync('x25519')

describe('signingKey', () => {
  it.each([
    ['HS256', SECRET, 32],
    ['HS512', createSecretKey(Buffer.alloc(64)), 64],
    ['RS256', pem(rsa.privateKey), 256],
    ['PS512', rsa.privateKey, 256],
    ['ES256', pem(p256.privateKey), 64],
    ['ES384', p384.privateKey, 96],
    ['ES512', p521.privateKey, 132],
    ['EdDSA', pem(ed25519.privateKey), 64],
  ] as const)('takes a fitting key for %s, and freezes it', (algorithm, key, signatureBytes) => {
    const made = signingKey({ algorithm, key })
    expect(made).toMatchObject({ algorithm, signatureBytes })
    expect(Object.isFrozen(made)).toBe(true)
  })

  it('never keeps the private key to verify with', () => {
    expect(signingKey({ algorithm: 'ES256', key: p256.privateKey }).verifyWith.type).toBe('public')
    expect(verifyingKey({ algorithm: 'ES256', key: p256.privateKey }).verifyWith.type).toBe('public')
    expect(verifyingKey({ algorithm: 'ES256', key: pem(p256.privateKey) })).not.toHaveProperty('signWith')
  })

  it('shows no key when it is printed', () => {
    expect(JSON.stringify(signingKey({ algorithm: 'HS256', key: SECRET }))).not.toContain('sss')
  })

  const wrongKeys: ReadonlyArray<readonly [string, JwsAlgorithm, string | KeyObject]> = [
    ['a short secret', 'HS256', 's'.repeat(31)],
    ['a short secret of a longer hash', 'HS512', 's'.repeat(31)],
    ['an empty secret', 'HS256', ''],
    ['a public PEM as the secret', 'HS256', pem(rsa.publicKey)],
    ['an indented PEM as the secret', 'HS256', ` \n${pem(p256.publicKey)}`],
    ['an SSH key as the secret', 'HS256', `ssh-rsa ${'A'.repeat(99)}`],
    ['a public key as the secret', 'HS256', rsa.publicKey],
    ['a private key as the secret', 'HS256', ed25519.privateKey],
    ['RSA of 1024 bits', 'RS256', smallRsa.privateKey],
    ['RSA of 1024 bits for PSS', 'PS256', smallRsa.privateKey],
    ['a key for PSS only', 'PS256', pssRsa.privateKey],
    ['an EC key for RS256', 'RS256', p256.privateKey],
    ['an RSA key for ES256', 'ES256', rsa.privateKey],
    ['P-384 for ES256', 'ES256', p384.privateKey],
    ['P-256 for ES512', 'ES512', p256.privateKey],
    ['secp256k1 for ES256', 'ES256', k256.privateKey],
    ['Ed448 for EdDSA', 'EdDSA', ed448.privateKey],
    ['X25519 for EdDSA', 'EdDSA', x25519.privateKey],
    ['a public key', 'RS256', rsa.publicKey],
    ['a public PEM', 'RS256', pem(rsa.publicKey)],
    ['a secret for ES256', 'ES256', createSecretKey(Buffer.alloc(32))],
    ['a text that is no PEM', 'EdDSA', SECRET],
    [
      'an encrypted PEM',
      'ES256',
      p256.privateKey
        .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
        .toString(),
    ],
  ]
  it.each(wrongKeys)('refuses %s (%s)', (_, algorithm, key) => {
    expect(() => signingKey({ algorithm, key })).toThrow(TypeError)
    expect(() => signingKey({ algorithm, key })).toThrow(/^signingKey\.key: /)
  })

  it('names no part of a refused key', () => {
    const key = 'a-secret-that-is-short'
    expect(() => signingKey({ algorithm: 'HS256', key })).toThrow(
      expect.objectContaining({ cause: undefined }),
    )
    expect(() => signingKey({ algorithm: 'HS256', key })).not.toThrow(key)
  })

  it.each(['none', 'hs256', '', '__proto__', 'toString'])('refuses the algorithm %j', (algorithm) => {
    expect(() => signingKey({ algorithm: algorithm as JwsAlgorithm, key: SECRET })).toThrow(
      /^signingKey\.algorithm: /,
    )
  })

  it('takes the public half as a cross-check only', () => {
    const options = { algorithm: 'ES256', key: p256.privateKey } as const
    expect(signingKey({ ...options, verifyingKey: pem(p256.publicKey) }).kid).toBe(signingKey(options).kid)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const verifyingKey of [other.publicKey, pem(other.publicKey), rsa.publicKey, 'no PEM']) {
      expect(() => signingKey({ ...options, verifyingKey })).toThrow(/^signingKey\.verifyingKey: /)
    }
    expect(() => signingKey({ algorithm: 'HS256', key: SECRET, verifyingKey: SECRET })).toThrow(
      /^signingKey\.verifyingKey: /,
    )
  })
})

describe('verifyingKey', () => {
  it.each([
    ['HS256', SECRET],
    ['RS256', pem(rsa.publicKey)],
    ['ES256', p256.publicKey],
    ['EdDSA', pem(ed25519.publicKey)],
  ] as const)('takes the public half for %s', (algorithm, key) => {
    const made = verifyingKey({ algorithm, key })
    expect(made.algorithm).toBe(algorithm)
    expect(Object.isFrozen(made)).toBe(true)
  })

  it('refuses what does not fit, and says where', () => {
    expect(() => verifyingKey({ algorithm: 'HS256', key: pem(rsa.publicKey) })).toThrow(
      /^verifyingKey\.key: /,
    )
    expect(() => verifyingKey({ algorithm: 'ES256', key: p384.publicKey })).toThrow(/^verifyingKey\.key: /)
    expect(() => verifyingKey({ algorithm: 'RS256', key: smallRsa.publicKey })).toThrow(
      /^verifyingKey\.key: /,
    )
  })
})

describe('kid', () => {
  it('is the thumbprint of RFC 7638, 3.1', () => {
    const key = createPublicKey({
      format: 'jwk',
      key: {
        kty: 'RSA',
        n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
        e: 'AQAB',
      },
    })
    expect(jwkThumbprint(key)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  })

  it.each([rsa, p256, p384, p521, ed25519])('is what jose computes', async ({ publicKey }) => {
    const jwk = publicKey.export({ format: 'jwk' }) as Parameters<typeof calculateJwkThumbprint>[0]
    expect(jwkThumbprint(publicKey)).toBe(await calculateJwkThumbprint(jwk))
  })

  it('is absent by default for secrets, and can be set or left out for all', () => {
    expect(signingKey({ algorithm: 'HS256', key: SECRET }).kid).toBeUndefined()
    expect(signingKey({ algorithm: 'HS256', key: SECRET, kid: 'one' }).kid).toBe('one')
    const options = { algorithm: 'EdDSA', key: ed25519.privateKey } as const
    expect(signingKey(options).kid).toBe(jwkThumbprint(ed25519.publicKey))
    expect(signingKey({ ...options, kid: null }).kid).toBeUndefined()
    expect(verifyingKey({ algorithm: 'EdDSA', key: ed25519.publicKey }).kid).toBe(signingKey(options).kid)
  })

  it.each(['', 'k'.repeat(257)])('is refused when empty or too long', (kid) => {
    expect(() => signingKey({ algorithm: 'HS256', key: SECRET, kid })).toThrow(/^signingKey\.kid: /)
  })
})

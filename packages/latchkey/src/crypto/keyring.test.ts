import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { oldSeal, oldSigningKeyData } from '../../test/old-seal.js'
import { Keyring, keyIdOf, SECRET_PREFIX } from './keyring.js'
import { additionalData, type SealedRecord, type SealedToken } from './sealed-record.js'

const A = 'first secret, which has more than 32 characters'
const B = 'second secret, which has more than 32 characters'
const PEM = '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n'
const KEY: SealedRecord = { kind: 'signing key', kid: 'kid 1', algorithm: 'ES256' }
const refused = expect.objectContaining({ code: 'sealing_key_missing', status: 503 })

function tokenOf(text: string, fields: Partial<SealedToken> = {}): SealedToken {
  return { kind: 'token', policy: 'authtoken', userId: 7, digest: hash('sha256', text, 'buffer'), ...fields }
}

describe('Keyring', () => {
  it('opens what it sealed, whatever the text and the record', () => {
    const keyring = new Keyring(A)
    const text = fc.string({ unit: 'binary' }).filter((one) => one.isWellFormed())
    fc.assert(
      fc.property(text, text, fc.oneof(fc.integer(), text), (secret, policy, userId) => {
        const token = tokenOf(secret, { policy, userId })
        expect(keyring.open(keyring.seal(secret, token), token)).toBe(secret)
      }),
    )
    expect(keyring.open(keyring.seal(PEM, KEY), KEY)).toBe(PEM)
  })

  it('never seals the same text to the same bytes', () => {
    const keyring = new Keyring(A)
    expect(keyring.seal('x', KEY)).not.toEqual(keyring.seal('x', KEY))
  })

  it('refuses bytes that were changed anywhere, cut, or made longer', () => {
    const keyring = new Keyring(A)
    const token = tokenOf('secret')
    const sealed = keyring.seal('secret', token)
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Uint8Array.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => keyring.open(changed, token)).toThrow(refused)
      expect(() => keyring.open(sealed.slice(0, index), token)).toThrow(refused)
    }
    expect(() => keyring.open(Buffer.concat([sealed, Buffer.of(0)]), token)).toThrow(refused)
    for (const format of [0, 1, 3, 255]) {
      const changed = Uint8Array.from(sealed)
      changed[0] = format
      expect(() => keyring.open(changed, token)).toThrow(refused)
    }
  })

  it('opens a seal only as what it was sealed as: kind, policy, owner and row', () => {
    const keyring = new Keyring(A)
    const others: readonly SealedToken[] = [
      tokenOf('secret', { policy: 'other' }),
      tokenOf('secret', { userId: 8 }),
      tokenOf('secret', { userId: '7' }),
      tokenOf('other'),
      tokenOf('secret', { digest: additionalData(KEY) }),
      tokenOf('secret', { digest: oldSigningKeyData('kid 1') }),
    ]
    const sealed = keyring.seal('secret', tokenOf('secret'))
    for (const other of others) expect(() => keyring.open(sealed, other)).toThrow(refused)
    const sealedKey = keyring.seal(PEM, KEY)
    for (const other of [...others, tokenOf(PEM), tokenOf(PEM, { digest: additionalData(KEY) })])
      expect(() => keyring.open(sealedKey, other)).toThrow(refused)
    for (const other of [
      { ...KEY, kid: 'kid 2' },
      { ...KEY, algorithm: 'EdDSA' },
    ])
      expect(() => keyring.open(sealedKey, other)).toThrow(refused)
    expect(() => keyring.open(sealed, KEY)).toThrow(refused)
  })

  it('has one additional data for each record: no two records share theirs', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '1', '\0', '\u0001', ' '), maxLength: 6 })
    const bytes = fc.uint8Array({ maxLength: 6, max: 2 })
    const userId = fc.oneof(text, fc.integer({ min: 0, max: 11 }))
    const record = fc.oneof(
      fc.record({ kind: fc.constant('token' as const), policy: text, userId, digest: bytes }),
      fc.record({ kind: fc.constant('signing key' as const), kid: text, algorithm: text }),
    )
    fc.assert(
      fc.property(record, record, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        expect(Buffer.compare(additionalData(one), additionalData(other)) === 0).toBe(isSame)
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses a text that is not the secret of its token, however it was sealed', () => {
    const keyring = new Keyring(A)
    const token = tokenOf('secret')
    expect(() => keyring.open(keyring.seal('another', token), token)).toThrow(refused)
  })

  it('seals for another owner on request, which the old owner cannot open', () => {
    const keyring = new Keyring(A)
    const [before, after] = [tokenOf('secret'), tokenOf('secret', { userId: 8 })]
    const sealed = keyring.reseal(keyring.seal('secret', before), before, after)
    expect(keyring.open(sealed, after)).toBe('secret')
    expect(() => keyring.open(sealed, before)).toThrow(refused)
    expect(() => keyring.reseal(sealed, before, after)).toThrow(refused)
  })

  it('seals under the newest secret and opens under every one', () => {
    const token = tokenOf('secret')
    const old = new Keyring(A).seal('secret', token)
    const both = new Keyring([B, A])
    expect(both.open(old, token)).toBe('secret')
    expect([both.isCurrent(old), both.isUnderNewest(old)]).toEqual([false, false])
    const fresh = both.reseal(old, token)
    expect([both.isCurrent(fresh), keyIdOf(fresh)]).toEqual([true, both.keyIds[0]])
    expect(() => new Keyring(B).open(old, token)).toThrow(/key/)
  })

  it('asks its source again when a key is unknown: another process may have rotated', () => {
    const secrets = [A]
    const keyring = new Keyring(() => secrets)
    const token = tokenOf('secret')
    const rotated = new Keyring([B, A]).seal('secret', token)
    secrets.unshift(B)
    expect(keyring.open(rotated, token)).toBe('secret')
  })

  it('seals under the newest secret of a live source, and goes on when the source cannot be read', () => {
    let secrets: readonly string[] | null = [A]
    const keyring = new Keyring(() => {
      if (secrets === null) throw new Error('the file is gone')
      return secrets
    })
    const token = tokenOf('secret')
    secrets = [B, A]
    expect(new Keyring(B).open(keyring.seal('secret', token), token)).toBe('secret')
    secrets = null
    expect(keyring.open(keyring.seal('secret', token), token)).toBe('secret')
  })

  it('refuses a secret that is missing or short', () => {
    for (const wrong of ['', 'short', [], [A, 'short']]) expect(() => new Keyring(wrong)).toThrow(/^secret:/)
  })

  it('puts neither a secret nor a sealed text into its errors', () => {
    const token = tokenOf('the text')
    const sealed = new Keyring(A).seal('the text', token)
    for (const open of [
      () => new Keyring(B).open(sealed, token),
      () => new Keyring(A).open(sealed, tokenOf('the text', { userId: 8 })),
    ]) {
      try {
        open()
        expect.unreachable()
      } catch (error) {
        expect(String(error)).toContain('a token')
        expect(String(error)).not.toMatch(/the text|first secret|second secret/)
      }
    }
  })
})

describe('seals of format 1', () => {
  const token = tokenOf('secret')

  it('open in their own row, and are sealed anew in the newest format', () => {
    const keyring = new Keyring([B, A])
    const sealed = oldSeal(A, 'secret', token.digest)
    expect(keyring.open(sealed, token)).toBe('secret')
    expect(keyring.isCurrent(sealed)).toBe(false)
    expect(new Keyring(A).isUnderNewest(sealed)).toBe(true)
    expect(keyring.isCurrent(keyring.reseal(sealed, token))).toBe(true)
    expect(keyring.open(oldSeal(A, PEM, oldSigningKeyData('kid 1')), KEY)).toBe(PEM)
  })

  it('of a signing key open in no token row, whatever digest and bytes the row has', () => {
    const keyring = new Keyring(A)
    // With a kid of 11 characters, the additional data has the length of a digest.
    for (const kid of ['kid 1', 'eleven char', 'x'.repeat(43), '']) {
      const data = oldSigningKeyData(kid)
      const sealed = oldSeal(A, PEM, data)
      expect(keyring.open(sealed, { ...KEY, kid })).toBe(PEM)
      for (const digest of [data, tokenOf(PEM).digest, data.subarray(0, 32), new Uint8Array()])
        expect(() => keyring.open(sealed, tokenOf(PEM, { digest }))).toThrow(refused)
    }
  })

  it('of a token open in no row of a signing key, and not as format 2', () => {
    const keyring = new Keyring(A)
    const sealed = Uint8Array.from(oldSeal(A, 'secret', token.digest))
    expect(() => keyring.open(sealed, KEY)).toThrow(refused)
    expect(() => keyring.open(sealed, tokenOf('another'))).toThrow(refused)
    sealed[0] = 2
    expect(() => keyring.open(sealed, token)).toThrow(refused)
    // Formats have keys of their own: the additional data of one is of no use in the other.
    expect(() => keyring.open(oldSeal(A, 'secret', additionalData(token)), token)).toThrow(refused)
  })

  it('are refused under a secret that was made later: no change of a database brings them back', () => {
    const secret = SECRET_PREFIX + 'f'.repeat(64)
    const keyring = new Keyring([secret, A])
    expect(() => keyring.open(oldSeal(secret, 'secret', token.digest), token)).toThrow(refused)
    expect(keyring.open(oldSeal(A, 'secret', token.digest), token)).toBe('secret')
    expect(keyring.open(keyring.seal('secret', token), token)).toBe('secret')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Keyring } from './keyring.js'

const A = 'first secret, which has more than 32 characters'
const B = 'second secret, which has more than 32 characters'
const context = Buffer.from('row 1')

describe('Keyring', () => {
  it('opens what it sealed, whatever the text', () => {
    const keyring = new Keyring(A)
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        fc.uint8Array(),
        (text, bound) => {
          expect(keyring.unseal(keyring.seal(text, bound), bound)).toBe(text)
        },
      ),
    )
  })

  it('never seals the same text to the same bytes', () => {
    const keyring = new Keyring(A)
    expect(keyring.seal('x', context)).not.toEqual(keyring.seal('x', context))
  })

  it('refuses bytes that were moved to another row, changed anywhere, or cut', () => {
    const keyring = new Keyring(A)
    const sealed = keyring.seal('secret', context)
    const missing = { code: 'sealing_key_missing' }
    expect(() => keyring.unseal(sealed, Buffer.from('row 2'))).toThrow(expect.objectContaining(missing))
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Uint8Array.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => keyring.unseal(changed, context)).toThrow(expect.objectContaining(missing))
      expect(() => keyring.unseal(sealed.slice(0, index), context)).toThrow(expect.objectContaining(missing))
    }
  })

  it('seals under the newest secret and opens under every one', () => {
    const old = new Keyring(A).seal('secret', context)
    const both = new Keyring([B, A])
    expect(both.unseal(old, context)).toBe('secret')
    expect(both.isNewest(old)).toBe(false)
    expect(both.isNewest(both.seal('secret', context))).toBe(true)
    expect(() => new Keyring(B).unseal(old, context)).toThrow(/key/)
  })

  it('asks its source again when a key is unknown: another process may have rotated', () => {
    const secrets = [A]
    const keyring = new Keyring(() => secrets)
    const rotated = new Keyring([B, A]).seal('secret', context)
    secrets.unshift(B)
    expect(keyring.unseal(rotated, context)).toBe('secret')
  })

  it('seals under the newest secret of a live source, and goes on when the source cannot be read', () => {
    let secrets: readonly string[] | null = [A]
    const keyring = new Keyring(() => {
      if (secrets === null) throw new Error('the file is gone')
      return secrets
    })
    secrets = [B, A]
    expect(new Keyring(B).unseal(keyring.seal('secret', context), context)).toBe('secret')
    secrets = null
    expect(keyring.unseal(keyring.seal('secret', context), context)).toBe('secret')
  })

  it('refuses a secret that is missing or short', () => {
    for (const wrong of ['', 'short', [], [A, 'short']]) expect(() => new Keyring(wrong)).toThrow(/^secret:/)
  })

  it('puts neither a secret nor a sealed text into its errors', () => {
    try {
      new Keyring(B).unseal(new Keyring(A).seal('the text', context), context)
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toMatch(/the text|first secret|second secret/)
    }
  })
})

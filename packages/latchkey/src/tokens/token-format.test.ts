import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWellFormed, newFormattedSecret, secretFormat, secretPrefix } from './token-format.js'

const PAT = secretFormat({ brand: 'lk', kind: 'pat' })
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The checksum as another program would write it. */
function checksumOf(text: string): string {
  let [rest, digits] = [BigInt(crc32(text)), '']
  while (digits.length < 6) {
    digits = DIGITS.charAt(Number(rest % 62n)) + digits
    rest /= 62n
  }
  return digits
}

describe('newFormattedSecret', () => {
  it('has the prefix, 33 characters that are random, and six that check all before', () => {
    const secret = newFormattedSecret(PAT)
    expect(secretPrefix(PAT)).toBe('lk_pat_')
    expect(secret).toMatch(/^lk_pat_[0-9A-Za-z]{39}$/)
    expect(secret.slice(-6)).toBe(checksumOf(secret.slice(0, -6)))
    expect(33 * Math.log2(62)).toBeGreaterThanOrEqual(192)
  })

  it('gives a checksum that other programs can check, whatever the format', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,16}$/)
    fc.assert(
      fc.property(word, word, fc.integer({ min: 33, max: 200 }), (brand, kind, secretCharacters) => {
        const format = secretFormat({ brand, kind, secretCharacters })
        const secret = newFormattedSecret(format)
        expect(secret).toHaveLength(brand.length + kind.length + secretCharacters + 8)
        expect(secret.slice(-6)).toBe(checksumOf(secret.slice(0, -6)))
        expect(isWellFormed(secret, format)).toBe(true)
      }),
    )
  })

  it('never gives the same secret twice, and every character at every place as often as any other', () => {
    const COUNT = 100_000
    const counts = Array.from({ length: PAT.secretCharacters }, () => new Map<string, number>())
    const seen = new Set<string>()
    for (let index = 0; index < COUNT; index += 1) {
      const secret = newFormattedSecret(PAT)
      seen.add(secret)
      for (const [at, count] of counts.entries()) {
        const character = secret.charAt(7 + at)
        count.set(character, (count.get(character) ?? 0) + 1)
      }
    }
    expect(seen.size).toBe(COUNT)
    const expected = COUNT / 62
    for (const count of counts) {
      let chiSquare = 0
      for (const digit of DIGITS) chiSquare += ((count.get(digit) ?? 0) - expected) ** 2 / expected
      // 61 degrees of freedom: chance alone exceeds this once in a thousand million; `byte % 62` would give about 660.
      expect(chiSquare).toBeLessThan(153)
    }
  })

  it.each([
    [{ brand: '', kind: 'pat' }, 'brand'],
    [{ brand: 'LK', kind: 'pat' }, 'brand'],
    [{ brand: 'l_k', kind: 'pat' }, 'brand'],
    [{ brand: 'x'.repeat(17), kind: 'pat' }, 'brand'],
    [{ brand: 'lk', kind: 'p-t' }, 'kind'],
    [{ brand: 'lk', kind: 'pat\n' }, 'kind'],
    [{ brand: 'lk', kind: 'pat', secretCharacters: 32 }, 'secretCharacters'],
    [{ brand: 'lk', kind: 'pat', secretCharacters: 201 }, 'secretCharacters'],
    [{ brand: 'lk', kind: 'pat', secretCharacters: 33.5 }, 'secretCharacters'],
    [{ brand: 'lk', kind: 'pat', secretCharacters: Number.NaN }, 'secretCharacters'],
  ])('refuses %o by naming its %s', (options, field) => {
    const naming = new RegExp(`^${field}: must`)
    expect(() => secretFormat(options)).toThrow(naming)
    expect(() => newFormattedSecret({ secretCharacters: 33, ...options })).toThrow(naming)
  })
})

describe('isWellFormed', () => {
  const secrets = fc.constant(null).map(() => newFormattedSecret(PAT))
  const places = fc.integer({ min: 0, max: 45 })

  it('refuses a secret with any one character changed', () => {
    const character = fc.oneof(
      fc.constantFrom(...DIGITS),
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    )
    fc.assert(
      fc.property(secrets, places, character, (secret, at, other) => {
        const changed = secret.slice(0, at) + other + secret.slice(at + 1)
        expect(isWellFormed(changed, PAT)).toBe(changed === secret)
      }),
      { numRuns: 20_000 },
    )
  })

  it('refuses every other digit at every place of a secret', () => {
    const secret = newFormattedSecret(PAT)
    for (let at = 0; at < secret.length; at += 1) {
      for (const digit of DIGITS) {
        const changed = secret.slice(0, at) + digit + secret.slice(at + 1)
        expect(isWellFormed(changed, PAT)).toBe(changed === secret)
      }
    }
  })

  it('refuses a secret with two neighbours exchanged', () => {
    fc.assert(
      fc.property(secrets, fc.integer({ min: 0, max: 44 }), (secret, at) => {
        const changed = secret.slice(0, at) + secret.charAt(at + 1) + secret.charAt(at) + secret.slice(at + 2)
        expect(isWellFormed(changed, PAT)).toBe(changed === secret)
      }),
      { numRuns: 20_000 },
    )
  })

  it('refuses the exchange of the last random and the first check character without exception', () => {
    // It moves the checksum that is written by a multiple of 62^5, which leaves the low 5 bits as they are; the first
    // of six digits is 0 to 4, because 5 * 62^5 is more than 32 bits hold. What it does to the CRC depends on the two
    // characters alone, and moves those bits.
    expect(62 ** 5 % 32).toBe(0)
    expect(5 * 62 ** 5).toBeGreaterThan(0xffffffff)
    for (const a of '01234') {
      for (const b of '01234') {
        if (a !== b) expect((crc32(a) ^ crc32(b)) & 31).not.toBe(0)
      }
    }
  })

  it('refuses a secret that was cut, or that has one character too many, anywhere', () => {
    const secret = newFormattedSecret(PAT)
    for (let at = 0; at < secret.length; at += 1) {
      expect(isWellFormed(secret.slice(0, at), PAT)).toBe(false)
      expect(isWellFormed(secret.slice(at + 1), PAT)).toBe(false)
      expect(isWellFormed(secret.slice(0, at) + secret.slice(at + 1), PAT)).toBe(false)
      expect(isWellFormed(`${secret.slice(0, at)}x${secret.slice(at)}`, PAT)).toBe(false)
    }
    for (const more of [' ', '\n', '0']) expect(isWellFormed(secret + more, PAT)).toBe(false)
  })

  it('refuses what is no base 62, also with the checksum that belongs to it', () => {
    for (const wrong of ['-', '_', ' ', '\u0000', '=']) {
      const body = `lk_pat_${wrong.repeat(33)}`
      expect(isWellFormed(body + checksumOf(body), PAT)).toBe(false)
    }
  })

  it('refuses a checksum beyond 32 bits that leaves the same remainder', () => {
    // 62^6 is more than 2^32: some checksums could be written twice.
    const secret = newFormattedSecret(PAT)
    let [rest, digits] = [BigInt(crc32(secret.slice(0, -6))) + 2n ** 32n, '']
    while (digits.length < 6) {
      digits = DIGITS.charAt(Number(rest % 62n)) + digits
      rest /= 62n
    }
    expect(isWellFormed(secret.slice(0, -6) + digits, PAT)).toBe(false)
  })

  it('knows its own format only', () => {
    const others = [
      secretFormat({ brand: 'lk', kind: 'svc' }),
      secretFormat({ brand: 'kl', kind: 'pat' }),
      secretFormat({ brand: 'lk', kind: 'pat', secretCharacters: 34 }),
      secretFormat({ brand: 'l', kind: 'kpat' }),
    ]
    for (const other of others) {
      expect(isWellFormed(newFormattedSecret(other), PAT)).toBe(false)
      expect(isWellFormed(newFormattedSecret(PAT), other)).toBe(false)
    }
  })

  it('says no to any other text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 100 }), fc.base64String()), (text) => {
        expect(isWellFormed(text, PAT)).toBe(false)
        expect(isWellFormed(`lk_pat_${text}`, PAT)).toBe(false)
      }),
    )
    expect(isWellFormed('lk_pat_'.repeat(10_000_000), PAT)).toBe(false)
  })
})

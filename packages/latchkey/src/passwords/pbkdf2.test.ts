/** PBKDF2: cost, caps and options; vectors are in hasher.test.ts. */
import { describe, expect, test } from 'vitest'
import { pbkdf2Sha1, pbkdf2Sha256 } from './pbkdf2.js'

const DIGEST = `${'A'.repeat(43)}=`
const stored = (iterations: string | number) => `pbkdf2_sha256$${iterations}$salt$${DIGEST}`

test('weaker means fewer iterations, never more', () => {
  const hasher = pbkdf2Sha256({ iterations: 1000 })
  expect(hasher.isWeaker(stored(999))).toBe(true)
  expect(hasher.isWeaker(stored(1000))).toBe(false)
  expect(hasher.isWeaker(stored(1001))).toBe(false)
})

test('writes a million iterations unless told otherwise', async () => {
  expect(await pbkdf2Sha256().hash('secret')).toMatch(/^pbkdf2_sha256\$1000000\$[A-Za-z0-9]{22}\$.{44}$/)
  expect(await pbkdf2Sha1({ iterations: 1 }).hash('secret')).toMatch(
    /^pbkdf2_sha1\$1\$[A-Za-z0-9]{22}\$.{28}$/,
  )
})

test.each([0, -1, 1.5, Number.NaN, 10_000_001])('iterations of %s are refused', (iterations) => {
  expect(() => pbkdf2Sha256({ iterations })).toThrow(/^iterations must be/)
})

describe('not verified, whatever the password', () => {
  test.each([
    ['above the cap', stored(10_000_001)],
    ['far above the cap', stored('99999999999999')],
    ['no iterations', stored(0)],
    ['a leading zero', stored('01')],
    ['a sign', stored('+1')],
    ['an exponent', stored('1e3')],
    ['no salt', `pbkdf2_sha256$1$$${DIGEST}`],
    ['a short digest', 'pbkdf2_sha256$1$salt$AAAA'],
    ['the digest of the sister', `pbkdf2_sha256$1$salt$${'A'.repeat(27)}=`],
    ['no padding', `pbkdf2_sha256$1$salt$${'A'.repeat(43)}`],
  ])('%s', (_name, encoded) => {
    expect(pbkdf2Sha256().recognises(encoded)).toBe(false)
  })

  test('at the cap a string is recognised', () => {
    expect(pbkdf2Sha256().recognises(stored(10_000_000))).toBe(true)
  })
})

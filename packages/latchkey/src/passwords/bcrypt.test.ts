/** bcrypt: cost, caps, the 72 bytes, and the missing package; vectors are in hasher.test.ts. */
import { describe, expect, test } from 'vitest'
import { bcrypt, bcryptSha256 } from './bcrypt.js'

const TAIL = 'abcdefghijklmnopqrstuuI9bZCuY3iL1D8aa7mpGEju3kdgOOzj6'
const stored = (rounds: string, version = '2b') => `bcrypt$$${version}$${rounds}$${TAIL}`

/** crypt(3) of 80 times `a`, of which bcrypt reads 72. */
const EIGHTY_A = 'bcrypt$$2y$05$abcdefghijklmnopqrstuuGUnCqbfgs3htOkLrFduUjAyLBw1Rq/u'

test('writes 12 rounds in the layout of Django, with its double dollar', async () => {
  expect(await bcryptSha256().hash('secret')).toMatch(/^bcrypt_sha256\$\$2b\$12\$[./A-Za-z0-9]{53}$/)
})

test('weaker means fewer rounds, never more', () => {
  const hasher = bcrypt({ rounds: 10 })
  expect(hasher.isWeaker(stored('09'))).toBe(true)
  expect(hasher.isWeaker(stored('10'))).toBe(false)
  expect(hasher.isWeaker(stored('11'))).toBe(false)
})

test('a raw bcrypt string is verified as Django does, but none is written for more than 72 bytes', async () => {
  const hasher = bcrypt({ rounds: 4 })
  expect(await hasher.verify('a'.repeat(80), EIGHTY_A)).toBe(true)
  expect(await hasher.verify('a'.repeat(71), EIGHTY_A)).toBe(false)
  await expect(hasher.hash('a'.repeat(73))).rejects.toMatchObject({
    code: 'invalid',
    fields: { password: ['This password is too long. It must contain at most 72 bytes.'] },
  })
  await expect(hasher.hash('ä'.repeat(37))).rejects.toMatchObject({ code: 'invalid' })
})

test('bcrypt_sha256 tells long passwords apart', async () => {
  const hasher = bcryptSha256({ rounds: 4 })
  const encoded = await hasher.hash('a'.repeat(100))
  expect(await hasher.verify('a'.repeat(100), encoded)).toBe(true)
  expect(await hasher.verify('a'.repeat(99), encoded)).toBe(false)
})

describe('not verified, whatever the password', () => {
  test.each([
    ['too many rounds', stored('17')],
    ['31 rounds', stored('31')],
    ['too few rounds', stored('03')],
    ['rounds with a sign', stored('+4')],
    ['the broken version 2x', stored('04', '2x')],
    ['a single dollar', stored('04').replace('$$', '$')],
    ['the other algorithm', stored('04').replace('bcrypt', 'bcrypt_sha256')],
    ['a salt with stray bits', stored('04').replace('stuuI', 'stuvI')],
    ['a character outside the alphabet', stored('04').replace('abc', 'a_c')],
  ])('%s', (_name, encoded) => {
    expect(bcrypt().recognises(encoded)).toBe(false)
  })
})

test('without the package, it tells the operator what to install; malformed text is merely wrong', async () => {
  const hasher = bcrypt({ load: () => Promise.reject(new Error('no such package')) })
  const refusal = { code: 'internal_error', detail: expect.stringContaining('install @node-rs/bcrypt') }
  await expect(hasher.verify('secret', stored('04'))).rejects.toMatchObject(refusal)
  await expect(hasher.hash('secret')).rejects.toMatchObject(refusal)
  expect(await hasher.verify('secret', 'bcrypt$nonsense')).toBe(false)
})

test.each([3, 17, 4.5])('%s rounds are refused', (rounds) => {
  expect(() => bcrypt({ rounds })).toThrow(/^rounds must be/)
})

/** scrypt: cost, caps and options; vectors are in hasher.test.ts. */
import { describe, expect, test } from 'vitest'
import { scrypt } from './scrypt.js'

const stored = (n: string | number, r: number, p: number) => `scrypt$${n}$salt$${r}$${p}$${'A'.repeat(86)}==`

test('writes the cost asked of scrypt by OWASP, in the layout of Django', async () => {
  const encoded = await scrypt().hash('secret')
  expect(encoded).toMatch(/^scrypt\$131072\$[A-Za-z0-9]{22}\$8\$1\$.{86}==$/)
  expect(await scrypt({ cost: 16 }).verify('secret', encoded)).toBe(true)
})

describe('weaker', () => {
  const hasher = scrypt()
  test.each([
    ["Django 4's default", stored(2 ** 14, 8, 1), true],
    ["Django 5's default: more lanes, but less memory and less work", stored(2 ** 14, 8, 5), true],
    ['less memory and as much work', stored(2 ** 16, 8, 2), true],
    ['the same', stored(2 ** 17, 8, 1), false],
    ['the same memory and more work', stored(2 ** 17, 8, 2), false],
    ['less memory and more work', stored(2 ** 16, 8, 3), false],
    ['more memory', stored(2 ** 18, 8, 1), false],
    ['not a string of ours', 'scrypt$16', false],
  ])('%s: %s is %s', (_name, encoded, expected) => {
    expect(hasher.isWeaker(encoded)).toBe(expected)
  })
})

describe('not verified, whatever the password', () => {
  test.each([
    ['memory above 512 MiB', stored(2 ** 20, 8, 1)],
    ['work above the cap', stored(2 ** 17, 8, 9)],
    ['N not a power of two', stored(1000, 8, 1)],
    ['N of 1', stored(1, 8, 1)],
    ['N of 0', stored(0, 8, 1)],
    ['N beyond 32 bits', stored('4294967296', 8, 1)],
    ['r above 64', stored(16, 65, 1)],
    ['p above 64', stored(16, 1, 65)],
    ['p of 0', stored(16, 1, 0)],
    ['a short digest', 'scrypt$16$salt$1$1$AAAA'],
  ])('%s', async (_name, encoded) => {
    expect(scrypt().recognises(encoded)).toBe(false)
    expect(await scrypt().verify('secret', encoded)).toBe(false)
  })

  test.each([
    [2 ** 19, 8, 1],
    [2 ** 16, 64, 1],
    [2, 64, 64],
  ])('N=%i, r=%i, p=%i are within the caps, and computed', async (n, r, p) => {
    expect(scrypt().recognises(stored(n, r, p))).toBe(true)
    expect(await scrypt().verify('secret', stored(n, r, p))).toBe(false)
  })
})

test.each([
  [{ cost: 1000 }, 'cost must be a power of two'],
  [{ cost: 1 }, 'cost must be'],
  [{ cost: 2 ** 22 }, 'cost \\* blockSize'],
  [{ blockSize: 0 }, 'blockSize must be'],
  [{ parallelism: 9 }, 'cost \\* blockSize'],
  [{ parallelism: 100 }, 'parallelism must be'],
])('%j is refused: %s', (options, message) => {
  expect(() => scrypt(options)).toThrow(new RegExp(`^${message}`))
})

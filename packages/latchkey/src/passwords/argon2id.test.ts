/** Argon2: its engines agree with the reference, its caps hold, and an upgrade never lowers a cost. */
import { describe, expect, test } from 'vitest'
import { type Argon2Engine, nodeEngine, peerEngine, threadEngine } from './argon2-engines.js'
import { argon2id } from './argon2id.js'

const stored = (m: number, t: number, p: number, variant = 'argon2id') =>
  `argon2$${variant}$v=19$m=${m},t=${t},p=${p}$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`

describe('what it writes', () => {
  test('the cost asked of argon2id by OWASP and ASVS, in the layout of Django', async () => {
    expect(await argon2id().hash('secret')).toMatch(
      /^argon2\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{30}\$[A-Za-z0-9+/]{43}$/,
    )
  })

  test('a stronger cost on request', async () => {
    expect(await argon2id({ memoryKib: 32768, passes: 3, parallelism: 2 }).hash('secret')).toContain(
      '$m=32768,t=3,p=2$',
    )
  })

  test.each([
    [{ memoryKib: 7 }, 'memoryKib'],
    [{ memoryKib: 16, parallelism: 4 }, 'memoryKib'],
    [{ memoryKib: 2 ** 20 }, 'memoryKib'],
    [{ passes: 0 }, 'passes'],
    [{ passes: 1.5 }, 'passes'],
    [{ memoryKib: 2 ** 19, passes: 9 }, 'passes'],
    [{ parallelism: 65 }, 'parallelism'],
  ])('%j is refused, naming %s', (options, name) => {
    expect(() => argon2id(options)).toThrow(new RegExp(`^${name} must be`))
  })
})

/** The test vectors of the reference implementation (`password`, `somesalt`). */
const REFERENCE = [
  'argon2$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA',
  'argon2$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
]

/** Computed by OpenSSL 3.5 for `secret`: argon2d with 4 lanes, and argon2id digests of 4, 16 and 64 bytes. */
const ARGON2D =
  'argon2$argon2d$v=19$m=64,t=2,p=4$c2FsdHNhbHRzYWx0c2FsdA$OHUiXvcsVitTbEcVXrvO5sfW6uDsSHIsrd7O7XirLOA'
const SECRET_TAGS = [
  'N8aPFQ',
  'sSsAQzo+2LsabYx5FwMHNQ',
  'ApQ8Z06gnyrEtSXzTNTrPMUks4IKRks2tHoDNzAXTfhfgTDkYYHdGmaKMDcneLSlgFm9lU1IJ3YA9AYSqFCFQw',
]

const ENGINES = {
  '@node-rs/argon2 in threads of our own': threadEngine,
  '@node-rs/argon2': peerEngine,
  'node:crypto': nodeEngine,
}

/** Every engine of this machine has to agree with the others: Node's exists from 24.7 on. */
const engines: { name: string; engine: Argon2Engine }[] = []
for (const [name, engine] of Object.entries(ENGINES)) {
  if ((await engine()) !== null) engines.push({ name, engine })
}

describe.each(engines)('computed by $name', ({ engine }) => {
  const hasher = argon2id({ engines: [engine], memoryKib: 64, passes: 1 })

  test.each(REFERENCE)('%s of the reference implementation', async (encoded) => {
    expect(await hasher.verify('password', encoded)).toBe(true)
    expect(await hasher.verify('passwore', encoded)).toBe(false)
  })

  test('the empty password, argon2d with 4 lanes, and digests of 4 to 64 bytes', async () => {
    expect(await hasher.verify('', await hasher.hash(''))).toBe(true)
    expect(await hasher.verify('secret', ARGON2D)).toBe(true)
    for (const tag of SECRET_TAGS) {
      const encoded = `argon2$argon2id$v=19$m=64,t=3,p=2$c2FsdHNhbHRzYWx0c2FsdA$${tag}`
      expect(await hasher.verify('secret', encoded)).toBe(true)
      expect(await hasher.verify('Secret', encoded)).toBe(false)
    }
  })
})

test('@node-rs/argon2 is found here, and so are threads', () => {
  const names = engines.map(({ name }) => name)
  expect(names.slice(0, 2)).toEqual(['@node-rs/argon2 in threads of our own', '@node-rs/argon2'])
})

describe('where no engine exists', () => {
  const hasher = argon2id({ engines: [async () => null] })

  test('it says so, and tells the operator what to install', async () => {
    expect(await hasher.isAvailable?.()).toBe(false)
    await expect(hasher.hash('secret')).rejects.toMatchObject({
      code: 'internal_error',
      detail: expect.stringContaining('@node-rs/argon2'),
    })
    await expect(hasher.verify('secret', stored(64, 1, 1))).rejects.toMatchObject({ code: 'internal_error' })
  })

  test('a malformed string is still merely wrong', async () => {
    expect(await hasher.verify('secret', 'argon2$nonsense')).toBe(false)
  })

  test('engines are tried in order, and looked for once', async () => {
    const tried: string[] = []
    const asked = argon2id({
      engines: [
        async () => {
          tried.push('first')
          return null
        },
        async () => {
          tried.push('second')
          return async () => Buffer.alloc(32)
        },
      ],
    })
    await asked.hash('a')
    await asked.hash('b')
    expect(tried).toEqual(['first', 'second'])
  })
})

describe('weaker', () => {
  const hasher = argon2id()
  test.each([
    ['less memory', stored(19448, 2, 1), true],
    ['fewer passes', stored(19456, 1, 1), true],
    ['less of both', stored(8, 1, 1), true],
    ["Django's old argon2i default", stored(512, 2, 2, 'argon2i'), true],
    ['the same', stored(19456, 2, 1), false],
    ['the same with more lanes', stored(19456, 2, 8), false],
    ["Django's default", stored(102400, 2, 8), false],
    ['less memory and more passes', stored(12288, 3, 1), false],
    ['more memory and fewer passes', stored(47104, 1, 1), false],
    ['more of both', stored(65536, 3, 4), false],
    ['not a string of ours', 'argon2$argon2id$v=19$m=8,t=1,p=1', false],
  ])('%s: %s is %s', (_name, encoded, expected) => {
    expect(hasher.isWeaker(encoded)).toBe(expected)
  })
})

describe('caps: not verified, whatever the password', () => {
  test.each([
    ['memory', stored(524_289, 1, 1)],
    ['memory times passes', stored(102_400, 41, 1)],
    ['passes', stored(8, 9_999_999, 1)],
    ['lanes', stored(8192, 1, 65)],
    ['numbers beyond 32 bits', stored(8, 1, 1).replace('t=1', 't=99999999999')],
    ['less than 8 KiB for a lane', stored(15, 1, 2)],
    ['version 1.0', stored(64, 1, 1).replace('v=19', 'v=16')],
    ['zero passes', stored(64, 0, 1)],
    ['a leading zero', stored(64, 1, 1).replace('t=1', 't=01')],
    ['a short salt', stored(64, 1, 1).replace('c2FsdHNhbHRzYWx0c2FsdA', 'c2FsdA')],
    ['an unknown variant', stored(64, 1, 1, 'argon2x')],
  ])('%s', async (_name, encoded) => {
    expect(argon2id().recognises(encoded)).toBe(false)
    expect(await argon2id().verify('secret', encoded)).toBe(false)
  })

  test('at the caps a string is recognised', () => {
    expect(argon2id().recognises(stored(524_288, 8, 64))).toBe(true)
  })
})

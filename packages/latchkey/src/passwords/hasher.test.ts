/** What holds for every hasher: Django's vectors, vectors of other implementations, and no trust in stored text. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { argon2id } from './argon2id.js'
import { bcrypt, bcryptSha256 } from './bcrypt.js'
import { decodeBase64, encodeBase64 } from './hasher.js'
import { md5, sha1, unsaltedMd5, unsaltedSha1 } from './md5.js'
import { pbkdf2Sha1, pbkdf2Sha256 } from './pbkdf2.js'
import { scrypt } from './scrypt.js'

const hashers = [
  argon2id({ memoryKib: 64, passes: 1 }),
  pbkdf2Sha256({ iterations: 10 }),
  pbkdf2Sha1({ iterations: 10 }),
  bcryptSha256({ rounds: 4 }),
  bcrypt({ rounds: 4 }),
  scrypt({ cost: 16 }),
  md5(),
  sha1(),
  unsaltedMd5(),
  unsaltedSha1(),
]
const writers = hashers.filter(({ algorithm }) => !algorithm.startsWith('unsalted'))
const byName = (algorithm: string) => hashers.find((hasher) => hasher.algorithm === algorithm)!

/** Written by Django 3.2 and 5.2 for the password `secret`. */
const FROM_DJANGO = [
  'pbkdf2_sha256$1000000$0qpBZ0qbdntIMJSmESMjSb$NGvivF+i3XPIugWZe3/V/lp+yKlRqEwvBmOKqDWDoB8=',
  'pbkdf2_sha256$260000$23t6py4TvnkZfVJ40e7IU1$5lgxZHhgSNFHmBJtj16UD1qymfBMJ0Ltb58ArnaGCio=',
  'pbkdf2_sha1$1000000$Trtw3NpgWksaLMl0udTwW3$Mhv0MnG1dVNed+A+rTQ4flna0SU=',
  'argon2$argon2id$v=19$m=102400,t=2,p=8$ZGdrT1ZTN0s0UFVMdnBheDRKM1lZMw$RCH+aaYD9vw2H/UmVDXALonOhJc0cSYGno5fnWsCIOA',
  'argon2$argon2id$v=19$m=102400,t=2,p=8$NGdIRVJmSXk0bUw1YVkwdXY5NU01dA$5QenFDklofyO/M+ETxToUA',
  'bcrypt_sha256$$2b$12$Ty3NHLJUbd7XbiazU8nPRusB0icFFDP1bYqTMdCihJU2PIdOi5tDG',
  'bcrypt$$2b$12$82DoRkLCQRvLO.Ono8tM5ej7iyAwNQ9MK5EmFnOCGMYF0LCNHsqVO',
  'scrypt$16384$W5ps2nSF7ZaisaS4Yaspgv$8$5$ybxGWkmJdXkJVSwIyLYEXi426PGLuxnz6SpkGh+7Lf9UUU7zZ74VBrBTDbUbhpih96+ql4F+oXMaGkJfDgHONg==',
  'md5$q48DortM5XvduH6CV4NChm$170b8ccdb4c9ac9012298141fa8619bb',
  'sha1$sJ8tpz46q0TqwrcnndLjNT$45582600f8655ba1c873404d83d1391bfe62394f',
  '5ebe2294ecd0e0f08eab7690d2a6ee69',
  'md5$$5ebe2294ecd0e0f08eab7690d2a6ee69',
  'sha1$$e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4',
]

/** Written by Python's hashlib and the C library's crypt(3), outside ASCII. */
const FROM_PYTHON = [
  'pbkdf2_sha256$1000$saltSALT$obUCzVXOuT8Uq7hEDioiKwvfL3xloQJ7f2lkgj0WtQA=',
  'pbkdf2_sha256$1$a b$30Cm7AyuifAjY7ogCjN02HmjBhvWmwffOiBEVBMnI1Q=',
  'pbkdf2_sha1$1000$saltSALT$Y7FICJxEGRcq3zd0JRutPlDX4c0=',
  'scrypt$1024$saltSALT$8$1$6BY2YX63CgAJw/2njphLg5lyMOu4TMU0o5AIrWu9UIN6ZalTo/QmmmQiXyZzBs8gkLXKRU0ozP12xrLB2K2WXw==',
  'scrypt$16$saltSALT$1$1$dER9OTvxnRLJ8QZA2laesqPP6gA58SsxneOGtsgScpHS+m4nGcXqq8RfzsuEihLnpbueMOACgh0piQt7SRNHlg==',
  'scrypt$2048$saltSALT$4$3$KfEftS2TMCwJmPwOLM37K5BikSt/mcDqrVZgzUUsdonGQPtJ6n+ImRk1g5WSnAaedyleADwmIzm7jUmB+ZNtyw==',
  'md5$saltSALT$2b0b7afe26dfae57b81069cf2cdb8b9c',
  'sha1$saltSALT$ce585e7b602c07cf3393ed43896c01be8cda0520',
  '4adf40358472ebde87ff0b5c57558638',
  'sha1$$34c649930d47c06cb12883534499c8531beb09bd',
  'bcrypt$$2b$04$abcdefghijklmnopqrstuuI9bZCuY3iL1D8aa7mpGEju3kdgOOzj6',
]

const VECTORS = [
  ...FROM_DJANGO.map((encoded) => ({ password: 'secret', encoded })),
  ...FROM_PYTHON.map((encoded) => ({ password: 'pässwörd 🔑', encoded })),
  { password: '', encoded: 'pbkdf2_sha256$10$s$UG8rdqYBgLXuJE78B94N4JqUXVIiNt8OvIhGDtx8yjg=' },
]

const readersOf = (encoded: string) => hashers.filter((hasher) => hasher.recognises(encoded))

describe('stored strings of Django', () => {
  test.each(VECTORS)('$encoded fits its password and no other', async ({ password, encoded }) => {
    const [reader, ...others] = readersOf(encoded)
    expect(others).toEqual([])
    expect(await reader?.verify(password, encoded)).toBe(true)
    expect(await reader?.verify(`${password}x`, encoded)).toBe(false)
  })

  test.each(VECTORS)(
    '$encoded is refused when a character is missing, added or altered',
    async ({ encoded }) => {
      const altered = [
        encoded.slice(0, -1),
        `${encoded}A`,
        `${encoded}\n`,
        ` ${encoded}`,
        encoded.toUpperCase(),
        encoded.replace(/\$[^$]*$/, '$'),
        encoded.replaceAll('$', ''),
      ].filter((text) => text !== encoded)
      for (const text of altered) {
        for (const reader of readersOf(text)) expect(await reader.verify('secret', text)).toBe(false)
      }
    },
  )
})

describe.each(writers)('$algorithm', (hasher) => {
  test('verifies what it wrote, of any text, and nothing else', async () => {
    for (const password of ['', 'a', 'secret', 'ß🔑\u0000x', 'x'.repeat(72)]) {
      const encoded = await hasher.hash(password)
      expect(hasher.recognises(encoded)).toBe(true)
      expect(await hasher.verify(password, encoded)).toBe(true)
      expect(await hasher.verify(`y${password}`, encoded)).toBe(false)
    }
  })

  test('never salts alike', async () => {
    expect(await hasher.hash('secret')).not.toBe(await hasher.hash('secret'))
  })

  test('does not find its own strings weaker', async () => {
    expect(hasher.isWeaker(await hasher.hash('secret'))).toBe(false)
  })

  test('fits the column of Django', async () => {
    const { length } = await hasher.hash('secret')
    expect(length).toBeLessThanOrEqual(128)
  })

  test('has decoys of the cost and shape of its strings that no password fits', async () => {
    const decoy = hasher.decoy()
    const encoded = await hasher.hash('secret')
    expect(decoy.length).toBe(encoded.length)
    expect(hasher.recognises(decoy)).toBe(true)
    expect(hasher.isWeaker(decoy)).toBe(false)
    expect(await hasher.verify('secret', decoy)).toBe(false)
    // The decoy may differ from a real string in salt and digest only: so its cost is the same.
    const cost = (text: string) => text.split('$').filter((part) => part.length < 20)
    expect(cost(decoy)).toEqual(cost(encoded))
  })
})

test('any text as a stored string is false, never an exception', async () => {
  const part = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom('', '19', 'm=8,t=1,p=1', '2b', '99999999999'),
  )
  const almost = fc
    .tuple(fc.constantFrom(...hashers.map(({ algorithm }) => algorithm)), fc.array(part, { maxLength: 6 }))
    .map(([algorithm, parts]) => [algorithm, ...parts].join('$'))
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.string({ unit: 'binary' }), almost),
      fc.string(),
      async (encoded, password) => {
        for (const hasher of hashers) {
          expect(await hasher.verify(password, encoded)).toBe(false)
          expect(hasher.isWeaker(encoded)).toBe(false)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('a real string with one character replaced is false, never an exception', async () => {
  const cheap = await Promise.all(writers.map((hasher) => hasher.hash('secret')))
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...cheap),
      fc.nat(),
      fc.string({ minLength: 1, maxLength: 1 }),
      async (encoded, at, by) => {
        const index = at % encoded.length
        const altered = encoded.slice(0, index) + by + encoded.slice(index + 1)
        fc.pre(altered !== encoded)
        for (const reader of readersOf(altered)) {
          // 2a, 2b and 2y are names of one function: the only spelling that may change.
          const sameFunction =
            /^bcrypt/.test(altered) && altered.replace(/2[aby]/, '') === encoded.replace(/2[aby]/, '')
          expect(await reader.verify('secret', altered)).toBe(sameFunction)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('unsalted digests are read, never written', async () => {
  await expect(byName('unsalted_md5').hash('secret')).rejects.toThrow(TypeError)
  await expect(byName('unsalted_sha1').hash('secret')).rejects.toThrow(TypeError)
})

test('Base64 has one spelling for each value', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom('padded' as const, 'bare' as const), (data, padding) => {
      const text = encodeBase64(Buffer.from(data), padding)
      expect(decodeBase64(text, padding)).toEqual(Buffer.from(data))
    }),
  )
  expect(decodeBase64('QQ', 'padded')).toBeNull()
  expect(decodeBase64('QQ==', 'bare')).toBeNull()
  expect(decodeBase64('QR', 'bare')).toBeNull()
  expect(decodeBase64('_-8', 'bare')).toBeNull()
})

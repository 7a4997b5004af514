import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, compactVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { JWS_ALGORITHMS, type JwsAlgorithm } from './algorithms.js'
import type { JsonObject } from './json-object.js'
import { JwsError, type JwsFault, type JwsHeader, signJws, verifyJws } from './jws.js'
import { type SigningKey, signingKey, verifyingKey } from './signing-key.js'

const SECRET = 'a secret for tests, with more than 64 characters 0123456789 0123456789'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey
const PRIVATE: Record<string, KeyObject> = {
  ES256: ec('P-256'),
  ES384: ec('P-384'),
  ES512: ec('P-521'),
  EdDSA: generateKeyPairSync('ed25519').privateKey,
}
const NAMES = Object.keys(JWS_ALGORITHMS) as JwsAlgorithm[]
const KEYS = new Map(
  NAMES.map((algorithm) => {
    const key = PRIVATE[algorithm] ?? (algorithm.startsWith('HS') ? SECRET : rsa)
    return [algorithm, signingKey({ algorithm, key })]
  }),
)
const keyOf = (algorithm: JwsAlgorithm): SigningKey => KEYS.get(algorithm)!
const hs256 = keyOf('HS256')

const encode = (value: string | object) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
/** A token with a right HMAC, whatever its segments are. */
function mac(header: string, payload: string, secret: string = SECRET, bits = 256): string {
  const text = `${header}.${payload}`
  return `${text}.${createHmac(`sha${bits}`, secret).update(text).digest('base64url')}`
}
const forge = (header: string | object, payload: string | object = { a: 1 }) =>
  mac(encode(header), encode(payload))
const HEADER = { alg: 'HS256', typ: 'JWT' }

function faultOf(token: string, ...keys: readonly SigningKey[]): JwsFault | 'accepted' {
  try {
    verifyJws(token, keys.length > 0 ? keys : [hs256])
    return 'accepted'
  } catch (error) {
    if (error instanceof JwsError) return error.reason
    throw error
  }
}

const payloads = fc
  .dictionary(fc.string({ unit: 'binary', maxLength: 20 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 8 })
  .map(
    (value): JsonObject =>
      JSON.parse(
        JSON.stringify(value, (_, one) => (typeof one === 'number' && Math.abs(one) > 2 ** 50 ? 0 : one)),
      ),
  )

describe.each(NAMES)('%s', (algorithm) => {
  const key = keyOf(algorithm)
  const runs = { numRuns: 15 }

  it('is verified by jose when we sign, and by us', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, async (payload) => {
        const token = signJws(payload, key)
        const theirs = await compactVerify(token, key.verifyWith, { algorithms: [algorithm] })
        expect(Buffer.from(theirs.payload).toString()).toBe(JSON.stringify(payload))
        expect(JSON.stringify(verifyJws(token, [key]).payload)).toBe(JSON.stringify(payload))
      }),
      runs,
    )
  })

  it('is verified by us when jose signs', async () => {
    await fc.assert(
      fc.asyncProperty(payloads, async (payload) => {
        const token = await new CompactSign(Buffer.from(JSON.stringify(payload)))
          .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
          .sign(key.signWith)
        const ours = verifyJws(token, [verifyingKey({ algorithm, key: key.verifyWith })])
        expect(ours.header).toEqual({ alg: algorithm, typ: 'JWT' })
        expect(JSON.stringify(ours.payload)).toBe(JSON.stringify(payload))
      }),
      runs,
    )
  })

  it('is refused with any change of any segment, with any other key, and without its signature', () => {
    const token = signJws({ user_id: 1 }, key)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const flip = (text: string, at: number) =>
      text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    fc.assert(
      fc.property(fc.nat(token.length - 2), (at) => {
        if (token[at] !== '.') expect(faultOf(flip(token, at), key)).not.toBe('accepted')
      }),
      runs,
    )
    for (const other of KEYS.values()) if (other !== key) expect(faultOf(token, other)).not.toBe('accepted')
    for (const wrong of [
      'A',
      signature.slice(0, -1),
      `${signature}A`,
      signature.slice(4),
      '_'.repeat(signature.length),
    ]) {
      expect(faultOf(`${header}.${payload}.${wrong}`, key)).toBe('signature')
    }
    expect(faultOf(`${header}.${payload}.${'A'.repeat(signature.length)}`, key)).toBe('signature')
    expect(faultOf(`${header}.${payload}.`, key)).toBe('malformed')
    expect(faultOf(`${header}.${payload}`, key)).toBe('malformed')
  })
})

describe('signJws', () => {
  it('writes the header and the payload of the original, byte for byte', () => {
    const claims = {
      token_type: 'refresh',
      exp: 1795387599,
      iat: 1795301199,
      jti: '659044f632164a3993f0181baa2395bf',
      user_id: '1',
    }
    const token = signJws(
      claims,
      signingKey({ algorithm: 'HS256', key: 'lab-secret-key-0123456789abcdef0123456789abcdef' }),
    )
    expect(token).toBe(
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MTc5NTM4NzU5OSwiaWF0IjoxNzk1MzAxMTk5LCJqdGkiOiI2NTkwNDRmNjMyMTY0YTM5OTNmMDE4MWJhYTIzOTViZiIsInVzZXJfaWQiOiIxIn0.qAEBdZfGGrQMzGWhYyitfmG5FV6V4_61MQqg12iyR7c',
    )
  })

  it('adds the kid of the key to the header', () => {
    const key = signingKey({ algorithm: 'HS256', key: SECRET, kid: 'k1' })
    expect(Buffer.from(signJws({}, key).split('.')[0] ?? '', 'base64url').toString()).toBe(
      '{"alg":"HS256","typ":"JWT","kid":"k1"}',
    )
  })

  it('refuses to make a token that nobody would accept', () => {
    const tooDeep = JSON.parse(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`) as JsonObject
    for (const payload of [[], { id: 2 ** 53 }, tooDeep, { a: 'x'.repeat(8192) }]) {
      expect(() => Reflect.apply(signJws, undefined, [payload, hs256])).toThrow(/^payload: /)
    }
  })
})

describe('verifyJws', () => {
  const publicPem = keyOf('RS256').verifyWith.export({ type: 'spki', format: 'pem' }).toString()
  const publicJwk = JSON.stringify(keyOf('RS256').verifyWith.export({ format: 'jwk' }))
  const good = forge(HEADER)
  const [h = '', p = '', s = ''] = good.split('.')

  it('accepts what is right, typ and other members of the header being as they may', () => {
    for (const header of [
      HEADER,
      { alg: 'HS256' },
      { ...HEADER, typ: 'at+jwt' },
      { x: [1], ...HEADER, x5t: 'y' },
    ]) {
      expect(verifyJws(forge(header), [hs256])).toEqual({ header, payload: { a: 1 } })
    }
  })

  const refused: ReadonlyArray<readonly [string, string, JwsFault]> = [
    ['nothing', '', 'malformed'],
    ['a word', 'nonsense', 'malformed'],
    ['two segments', `${h}.${p}`, 'malformed'],
    ['four segments', `${good}.${s}`, 'malformed'],
    ['five segments, as a JWE has', `${good}.${s}.${s}`, 'malformed'],
    ['no header', `.${p}.${s}`, 'malformed'],
    ['no payload', `${h}..${s}`, 'malformed'],
    ['a blank before it', ` ${good}`, 'malformed'],
    ['a line end after it', `${good}\n`, 'malformed'],
    ['a comma after it', `${good},`, 'malformed'],
    ['NUL', `${h}\0.${p}.${s}`, 'malformed'],
    ['a letter outside ASCII', `${h}.${p}.${s.slice(0, -1)}\u0430`, 'malformed'],
    ['a lone surrogate', `${good}\ud800`, 'malformed'],
    ['a padded header', mac(`${encode({ ...HEADER, a: 1 })}=`, p), 'malformed'],
    ['a padded payload', mac(h, `${encode('{"a":1}')}==`), 'malformed'],
    ['a padded signature', `${good}=`, 'malformed'],
    ['unused bits in the header', mac(`${encode('{"alg":"HS256"}')}`.replace(/.$/, '1'), p), 'header'],
    ['unused bits in the payload', mac(h, 'e31'), 'payload'],
    ['8193 characters', `${h}.${p}.${'A'.repeat(8191 - h.length - p.length)}`, 'too_long'],
    ['a megabyte', 'a'.repeat(2 ** 20), 'too_long'],
    ['a header that is a list', forge('["HS256"]'), 'header'],
    ['a header that is no JSON', forge('HS256'), 'header'],
    ['a header that is null', forge('null'), 'header'],
    ['a header without alg', forge({ typ: 'JWT' }), 'algorithm'],
    ['alg twice', forge('{"alg":"HS256","alg":"HS256"}'), 'header'],
    ['alg under __proto__', forge('{"__proto__":{"alg":"HS256"}}'), 'algorithm'],
    ['an empty crit', forge({ ...HEADER, crit: [] }), 'header'],
    ['crit null', forge({ ...HEADER, crit: null }), 'header'],
    ['crit of what we might know', forge({ ...HEADER, crit: ['exp'], exp: 1 }), 'header'],
    ['b64 false', forge({ ...HEADER, b64: false }), 'header'],
    ['jku', forge({ ...HEADER, jku: 'https://attacker.example/jwks' }), 'header'],
    ['jwk', forge({ ...HEADER, jwk: { kty: 'oct', k: 'AA' } }), 'header'],
    ['x5u', forge({ ...HEADER, x5u: 'https://attacker.example/x' }), 'header'],
    ['x5c', forge({ ...HEADER, x5c: ['AA'] }), 'header'],
    ['a kid that is a number', forge({ ...HEADER, kid: 1 }), 'header'],
    ['a kid that is null', forge({ ...HEADER, kid: null }), 'header'],
    ['a kid of 257 characters', forge({ ...HEADER, kid: 'k'.repeat(257) }), 'header'],
    ['another secret', mac(h, p, `${SECRET}x`), 'signature'],
    ['the hash of another algorithm', mac(h, p, SECRET, 512), 'signature'],
    ['a payload that is a text', forge(HEADER, '"x"'), 'payload'],
    ['a payload that is a list', forge(HEADER, '[{}]'), 'payload'],
    ['a payload that is null', forge(HEADER, 'null'), 'payload'],
    ['a payload that is no JSON', forge(HEADER, '{'), 'payload'],
    ['a claim twice', forge(HEADER, '{"user_id":1,"user_id":2}'), 'payload'],
    ['a claim twice in two spellings', forge(HEADER, '{"user_id":1,"user\\u005fid":2}'), 'payload'],
    ['a user_id that is not exact', forge(HEADER, '{"user_id":9007199254740993}'), 'payload'],
    ['1000 levels', forge(HEADER, `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`), 'payload'],
  ]
  it.each(refused)('refuses %s', (_, token, reason) => {
    expect(faultOf(token)).toBe(reason)
  })

  it.each([
    'none',
    'None',
    'nOnE',
    'NONE',
    'hs256',
    'HS256 ',
    '',
    'constructor',
    '__proto__',
    null,
    1,
    ['HS256'],
    {},
  ])('refuses alg %j, signed or not, under every key', (alg) => {
    const keys = [...KEYS.values()]
    expect(faultOf(forge({ alg, typ: 'JWT' }), ...keys)).toBe('algorithm')
    expect(faultOf(`${encode({ alg, typ: 'JWT' })}.${p}.`, ...keys)).toBe('malformed')
    expect(faultOf(`${encode({ alg, typ: 'JWT' })}.${p}.AA`, ...keys)).toBe('algorithm')
  })

  it.each([publicPem, publicPem.trim(), ` ${publicPem}`, publicPem.replaceAll('\n', '\r\n'), publicJwk])(
    'refuses an HMAC under the public key of RS256, however it is written',
    (secret) => {
      const forged = mac(h, p, secret)
      expect(faultOf(forged, keyOf('RS256'))).toBe('algorithm')
      expect(faultOf(forged, ...KEYS.values())).toBe('signature')
      expect(faultOf(mac(encode({ alg: 'RS256' }), p, secret), ...KEYS.values())).toBe('signature')
    },
  )

  it('uses a key for its own algorithm only', () => {
    expect(faultOf(mac(encode({ alg: 'HS512' }), p, SECRET, 512), hs256)).toBe('algorithm')
    expect(faultOf(signJws({}, keyOf('PS256')), keyOf('RS256'))).toBe('algorithm')
    expect(faultOf(good)).toBe('accepted')
  })

  it('takes one text for each token: no other last character, no padding', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const key of KEYS.values()) {
      const token = signJws({ a: 1 }, key)
      expect(faultOf(token, key)).toBe('accepted')
      for (const last of alphabet) {
        const spelling = token.slice(0, -1) + last
        expect(faultOf(spelling, key)).toBe(spelling === token ? 'accepted' : 'signature')
      }
      for (const more of ['=', '==', 'A', 'AA', '.', '\n', ' ']) {
        expect(faultOf(`${token}${more}`, key)).toMatch(/^(?:signature|malformed)$/)
      }
    }
  })

  it('chooses keys by kid where both sides have one', () => {
    const named = (kid: string, key = SECRET) => signingKey({ algorithm: 'HS256', key, kid })
    const [k1, k2] = [named('k1'), named('k2', `${SECRET}2`)]
    expect(faultOf(signJws({}, k2), k1, k2)).toBe('accepted')
    expect(faultOf(signJws({}, k2), k1)).toBe('unknown_key')
    expect(faultOf(signJws({}, k2), hs256, k1)).toBe('signature')
    expect(faultOf(good, k2, k1)).toBe('accepted')
    expect(faultOf(forge({ ...HEADER, kid: '../../dev/null' }))).toBe('accepted')
    expect(faultOf(forge({ ...HEADER, kid: 'k2' }), k1, k2)).toBe('signature')
    expect(() => verifyJws(good, [])).toThrow(expect.objectContaining({ reason: 'unknown_key' }))
  })

  it('asks a look-up with the header, and checks what it gives', () => {
    const seen: JwsHeader[] = []
    const lookup = (header: JwsHeader) => {
      seen.push(header)
      return [keyOf('ES256'), hs256]
    }
    expect(verifyJws(good, lookup).payload).toEqual({ a: 1 })
    expect(() => verifyJws(good, () => [keyOf('RS256')])).toThrow(JwsError)
    expect(() => verifyJws(good, () => [])).toThrow(JwsError)
    expect(() => verifyJws(forge({ ...HEADER, kid: 'k'.repeat(10_000 / 4) }), lookup)).toThrow(JwsError)
    expect(seen).toEqual([HEADER])
  })

  it('bounds the length by its third argument', () => {
    expect(() => verifyJws(good, [hs256], good.length - 1)).toThrow(
      expect.objectContaining({ reason: 'too_long' }),
    )
    expect(verifyJws(good, [hs256], good.length).payload).toEqual({ a: 1 })
  })

  it('puts no part of the token into its error', () => {
    try {
      verifyJws(mac(h, encode({ secret: 'canary' }), 'x'), [hs256])
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(JwsError)
      expect(String(error)).toBe('JwsError: The token is refused: signature')
    }
  })

  it('returns or throws a JwsError for every text', () => {
    const segment = fc.oneof(
      fc.constantFrom(h, p, s, encode({ alg: 'RS256' }), encode({ alg: 'ES512' }), encode({ alg: 'EdDSA' })),
      fc.base64String().map((text) => text.replace(/=*$/, '')),
      fc.json().map(encode),
      fc.string({ unit: 'binary' }),
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(segment, { maxLength: 5 }).map((segments) => segments.join('.')),
      fc
        .tuple(fc.constantFrom(...NAMES), fc.json(), fc.uint8Array({ maxLength: 300 }))
        .map(
          ([alg, payload, signature]) =>
            `${encode({ alg })}.${encode(payload)}.${Buffer.from(signature).toString('base64url')}`,
        ),
      fc.tuple(fc.json(), fc.json()).map(([header, payload]) => forge(header, payload)),
      fc.json().map((payload) => forge(HEADER, payload)),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect([
          'accepted',
          'too_long',
          'malformed',
          'header',
          'algorithm',
          'unknown_key',
          'signature',
          'payload',
        ]).toContain(faultOf(text, ...KEYS.values()))
      }),
      { numRuns: 1000 },
    )
  })

  it('answers for a signature of the right length and any bytes, whatever OpenSSL thinks of it', () => {
    for (const key of KEYS.values()) {
      const text = signJws({}, key).split('.').slice(0, 2).join('.')
      for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        const signature = Buffer.alloc(key.signatureBytes, byte).toString('base64url')
        expect(faultOf(`${text}.${signature}`, key)).toBe('signature')
      }
    }
  })
})

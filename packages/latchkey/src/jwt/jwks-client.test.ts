import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { signText } from './algorithms.js'
import { publicJwk } from './jwks.js'
import { JwksClient, type JwksClientOptions } from './jwks-client.js'
import { signJws } from './jws.js'
import { type SigningKey, signingKey } from './signing-key.js'

const START_MS = Date.UTC(2030, 0, 1, 12)
const newKey = (kid: string) =>
  signingKey({ algorithm: 'ES256', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, kid })
const one = newKey('one')
const two = newKey('two')

describe('the key set of another issuer', () => {
  const clock = fixedClock(START_MS)
  let server: Server
  let url: string
  let requests: number
  let published: readonly SigningKey[]
  let answer: RequestListener

  const usual: RequestListener = (_, response) =>
    response.end(JSON.stringify({ keys: published.map(publicJwk) }))
  const client = (limits: Partial<JwksClientOptions> = {}) => new JwksClient({ url, clock, ...limits })
  const kids = async (jwks: JwksClient, kid: string) => (await jwks.find(kid)).map((key) => key.kid)

  beforeEach(async () => {
    clock.set(START_MS)
    requests = 0
    published = [one]
    answer = usual
    server = createServer((request, response) => {
      requests += 1
      answer(request, response)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  })
  afterEach(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })

  it('is fetched once for any number of callers, and known synchronously from then on', async () => {
    const jwks = client()
    expect(jwks.known('one')).toEqual([])
    const found = await Promise.all(Array.from({ length: 100 }, () => kids(jwks, 'one')))
    expect(new Set(found.flat())).toEqual(new Set(['one']))
    expect(jwks.known('one')).toHaveLength(1)
    expect(jwks.known('two')).toEqual([])
    expect(requests).toBe(1)
  })

  it('is fetched at most once per cooldown, whatever 10,000 random kids say', async () => {
    const jwks = client()
    for (let round = 1; round <= 3; round += 1) {
      for (let batch = 0; batch < 100; batch += 1) {
        const strange = Array.from({ length: 100 }, () => kids(jwks, randomBytes(8).toString('hex')))
        expect((await Promise.all(strange)).flat()).toEqual([])
      }
      expect(requests).toBe(round)
      clock.advance(29.999)
      await kids(jwks, 'x')
      expect(requests).toBe(round)
      clock.advance(0.001)
    }
  })

  it('is fetched again for a kid that is new, after the cooldown', async () => {
    const jwks = client()
    await jwks.find('one')
    published = [one, two]
    expect(await kids(jwks, 'two')).toEqual([])
    clock.advance(30)
    expect(await kids(jwks, 'two')).toEqual(['two'])
    expect(jwks.known('one')).toHaveLength(1)
  })

  it('is fetched again when it is old, so that a withdrawn key goes', async () => {
    const jwks = client()
    await jwks.find('one')
    published = [two]
    clock.advance(599)
    expect(jwks.known('one')).toHaveLength(1)
    clock.advance(1)
    expect(jwks.known('one')).toEqual([])
    expect(await kids(jwks, 'one')).toEqual([])
  })

  it('is believed for a day while the issuer fails, and then says that it cannot know', async () => {
    const jwks = client()
    await jwks.find('one')
    answer = (_, response) => response.writeHead(500).end('trouble')
    clock.advance(600)
    expect(await kids(jwks, 'one')).toEqual(['one'])
    const unknowable = {
      code: 'jwks_unavailable',
      status: 503,
      detail: `${url}: the keys cannot be fetched: the answer is 500`,
    }
    await expect(jwks.find('two')).rejects.toMatchObject(unknowable)
    expect(requests).toBe(2)
    clock.advance(86_400 - 601)
    expect(await kids(jwks, 'one')).toEqual(['one'])
    clock.advance(1)
    await expect(jwks.find('one')).rejects.toMatchObject(unknowable)
    answer = usual
    clock.advance(30)
    expect(await kids(jwks, 'one')).toEqual(['one'])
  })

  const troubles: ReadonlyArray<readonly [name: string, reason: RegExp, listener: RequestListener]> = [
    ['no JSON', /JSON/, (_, response) => response.end('<html>')],
    ['another JSON', /is no key set/, (_, response) => response.end('[1]')],
    ['null', /is no key set/, (_, response) => response.end('null')],
    ['bytes that are no text', /./, (_, response) => response.end(Buffer.from([0x7b, 0xff, 0x7d]))],
    [
      'an endless answer',
      /more than 65536 bytes/,
      (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(8192, 32)));
        }
        response.on('drain', more)
        more()
      },
    ],
    ['a small bomb', /more than 65536 bytes/, (_, response) => response.end(' '.repeat(65_537))],
    ['a redirect', /redirect/, (_, response) => response.writeHead(302, { location: '/other' }).end()],
    ['nothing', /./, (_, response) => response.destroy()],
    ['404', /the answer is 404/, (_, response) => response.writeHead(404).end()],
  ]
  it.each(troubles)('is not taken from an issuer that answers with %s', async (_, reason, listener) => {
    answer = listener
    await expect(client().find('one')).rejects.toMatchObject({
      code: 'jwks_unavailable',
      detail: expect.stringMatching(reason),
    })
    expect(requests).toBe(1)
  })

  it('is not waited for without end, neither for its first byte nor for its last', async () => {
    for (const listener of [
      () => undefined,
      (_, response) => response.write('{"keys":'),
    ] as RequestListener[]) {
      answer = listener
      await expect(client({ timeoutSeconds: 0.05 }).find('one')).rejects.toMatchObject({
        code: 'jwks_unavailable',
      })
    }
  })

  it('may hold keys that we cannot use: the others count', async () => {
    const enc = { ...publicJwk(newKey('enc')), use: 'enc' }
    answer = (_, response) => response.end(JSON.stringify({ keys: [null, 1, {}, enc, publicJwk(one)] }))
    const jwks = client()
    expect(await kids(jwks, 'one')).toEqual(['one'])
    expect(await kids(jwks, 'enc')).toEqual([])
  })

  it('comes from where it cannot be changed on the way', () => {
    const refused = [
      'http://issuer.example/',
      'ftp://issuer.example/',
      'http://127.0.0.1.example/',
      'nonsense',
      '',
    ]
    for (const wrong of [...refused, 'https://user:pass@issuer.example/']) {
      expect(() => client({ url: wrong })).toThrow(/^jwt\.jwksUrl:/)
    }
    for (const good of [
      'https://issuer.example/',
      'http://localhost:1/',
      'http://[::1]:1/',
      'http://127.0.0.53/',
    ]) {
      expect(() => client({ url: good })).not.toThrow()
    }
  })

  describe('behind the JWT service', () => {
    let latchkey: Latchkey

    beforeEach(async () => {
      latchkey = createLatchkey({
        store: memoryStore(),
        secret: 'a secret of at least thirty-two characters',
        clock,
        jwt: {
          jwksUrl: url,
          audience: 'orders',
          issuer: 'https://issuer.example',
          tokenTypeClaim: null,
          userIdClaim: 'sub',
        },
      })
      await latchkey.users.create({ username: 'vitor' })
    })

    const CLAIMS = {
      iss: 'https://issuer.example',
      aud: 'orders',
      sub: '1',
      jti: 'x',
      exp: START_MS / 1000 + 100_000,
    }
    const token = (key: SigningKey, claims: object = {}) => signJws({ ...CLAIMS, ...claims }, key)
    const who = async (text: string) => {
      try {
        return (await latchkey.jwts?.authenticate(text, ['access']))?.user?.username
      } catch (error) {
        return (error as { code: string }).code
      }
    }

    it('says who holds a token of that issuer, for this audience', async () => {
      expect(await who(token(one))).toBe('vitor')
      expect(await who(token(two))).toBe('authentication_failed')
      expect(await who(token(one, { aud: 'billing' }))).toBe('authentication_failed')
      expect(await who(token(one, { iss: 'https://other.example' }))).toBe('authentication_failed')
      const forger = signingKey({ algorithm: 'ES256', key: two.signWith, kid: 'one' })
      expect(await who(token(forger))).toBe('authentication_failed')
      const nameless = signingKey({ algorithm: 'ES256', key: one.signWith, kid: null })
      expect(await who(token(nameless))).toBe('authentication_failed')
      expect(requests).toBe(1)
    })

    it('forgets who was verified with a key that the issuer has withdrawn', async () => {
      const text = token(one)
      expect(await who(text)).toBe('vitor')
      expect(latchkey.jwts?.authenticate(text, ['access'])).not.toBeInstanceOf(Promise)
      published = [two]
      clock.advance(600)
      expect(await who(text)).toBe('authentication_failed')
    })

    it('answers 503, and not "bad token", while nothing can be known', async () => {
      answer = (_, response) => response.destroy()
      expect(await who(token(one))).toBe('jwks_unavailable')
    })

    it('asks nobody else: a token that brings its own key or its address is refused', async () => {
      for (const member of ['jku', 'x5u', 'jwk', 'x5c']) {
        expect(
          await who(withHeader(token(one), { alg: 'ES256', kid: 'own', [member]: url }, two.signWith)),
        ).toBe('authentication_failed')
      }
      expect(requests).toBe(0)
    })

    it('does not sign', async () => {
      const user = await latchkey.users.findByUsername('vitor')
      if (user === null) throw new Error('no user')
      await expect(latchkey.jwts?.issuePair(user)).rejects.toThrow(/^jwt\.signingKey: is missing/)
    })
  })
})

/** The same claims under another header, signed anew. */
function withHeader(token: string, header: object, key: KeyObject): string {
  const text = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${token.split('.')[1]}`
  return `${text}.${signText('ES256', key, text).toString('base64url')}`
}

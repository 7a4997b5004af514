import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { listener } from '../adapters/node-http.js'
import { jwtAuthentication } from '../authenticators/jwt.js'
import type { User } from '../identity.js'
import type { JwtOptions } from '../jwt/jwt-options.js'
import { signingKey, verifyingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from '../views/api-view.js'
import { type JwksOptions, jwks } from './jwks.js'

const SECRET = 'a secret of at least thirty-two characters'
const HS256 = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })

describe('/.well-known/jwks.json', () => {
  let latchkey: Latchkey
  let user: User

  async function start(jwt: JwtOptions = { keys: 'store' }) {
    latchkey = createLatchkey({ store: memoryStore(), secret: SECRET, jwt })
    user = await latchkey.users.create({ username: 'vitor' })
  }
  beforeEach(async () => {
    await start()
    await latchkey.signingKeys.generate()
  })

  async function get(headers: Record<string, string> = {}, options: JwksOptions = {}, method = 'GET') {
    const answer = await latchkey.handler(jwks(options))(fakeRequest({ method, headers }))
    const named = Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value]))
    const json = JSON.parse(String(answer.body)) as { readonly keys?: Record<string, unknown>[] } | null
    return { status: answer.status, headers: named, body: answer.body, keys: json?.keys ?? [] }
  }

  it('shows everybody the public keys, and for how long they count', async () => {
    const { status, headers, keys } = await get({ authorization: 'Bearer stale' })
    const [key] = await latchkey.signingKeys.list()
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'application/json',
      'public, max-age=300',
    ])
    expect(keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.stringMatching(/^[\w-]{43}$/),
        y: expect.stringMatching(/^[\w-]{43}$/),
        kid: key?.kid,
        alg: 'ES256',
        use: 'sig',
      },
    ])
  })

  it('answers 304 while nothing has changed, and 200 after a rotation', async () => {
    const { headers } = await get()
    const tag = headers.etag ?? ''
    for (const known of [tag, tag.slice(2), `"x", ${tag}`, '*']) {
      const again = await get({ 'if-none-match': known })
      expect([again.status, again.body, again.headers.etag]).toEqual([304, null, tag])
      expect(again.headers['cache-control']).toBe('public, max-age=300')
    }
    for (const unknown of ['"x"', tag.slice(3), '']) {
      expect((await get({ 'if-none-match': unknown })).status).toBe(200)
    }
    await latchkey.signingKeys.rotate()
    const changed = await get({ 'if-none-match': tag })
    expect([changed.status, changed.keys.length]).toEqual([200, 2])
  })

  it('names its media type to those who ask for it', async () => {
    const { status, headers } = await get({ accept: 'application/jwk-set+json' })
    expect([status, headers['content-type']]).toEqual([200, 'application/jwk-set+json'])
    const usual = await get({ accept: 'application/json, application/jwk-set+json' })
    expect([usual.status, usual.headers['content-type']]).toEqual([200, 'application/json'])
  })

  it('is read only', async () => {
    expect((await get({}, {}, 'POST')).status).toBe(405)
  })

  it('is never kept for longer than a key is published before it signs', async () => {
    await start({ keys: 'store', publishSeconds: 60 })
    expect((await get()).headers['cache-control']).toBe('public, max-age=60')
  })

  it('shows an asymmetric signingKey and former keys, and never a secret', async () => {
    await start({ signingKey: HS256 })
    expect((await get()).body).toBe('{"keys":[]}')
    await latchkey.signingKeys.generate({ algorithm: 'EdDSA' })
    expect((await get()).keys).toEqual([])
    const key = signingKey({
      algorithm: 'RS256',
      key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
    })
    await start({ signingKey: key, verifyingKeys: [HS256] })
    expect((await get()).keys.map(({ kid }) => kid)).toEqual([key.kid])
    const former = verifyingKey({ algorithm: 'RS256', key: key.verifyWith, kid: 'former' })
    expect((await get({}, { also: [former] })).keys.map(({ kid }) => kid)).toEqual([key.kid, 'former'])
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
      expect((await get()).keys[0]).not.toHaveProperty(name)
    expect(() => jwks({ also: [HS256] })).toThrow(/^also: a key of HS256/)
  })

  it('is what jose and another Latchkey verify our tokens with, while keys rotate', async () => {
    await start({ keys: 'store', audience: 'orders', issuer: 'https://issuer.example' })
    await latchkey.signingKeys.generate()
    const server = createServer(listener(latchkey.handler(jwks()))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const { headers } = await fetch(url)
    const unchanged = await fetch(url, { headers: { 'if-none-match': headers.get('etag') ?? '' } })
    expect([unchanged.status, unchanged.headers.get('content-length')]).toEqual([304, null])
    const remote = createRemoteJWKSet(new URL(url), { cooldownDuration: 0 })
    for (const algorithm of ['ES256', 'EdDSA'] as const) {
      await latchkey.signingKeys.rotate({ algorithm, publishSeconds: 0 })
      // The other one keeps copies of its own of the user and the keys.
      const other = createLatchkey({
        store: memoryStore(),
        secret: SECRET,
        jwt: { jwksUrl: url, audience: 'orders', issuer: 'https://issuer.example' },
      })
      await other.users.create({ username: 'vitor' })
      const whoami = other.handler(
        apiView({
          authentication: [jwtAuthentication()],
          get: (request) => ({ user: request.user?.username }),
        }),
      )
      const { access = '' } = (await latchkey.jwts?.issuePair(user)) ?? {}
      const { protectedHeader } = await jwtVerify(access, remote, { audience: 'orders' })
      expect(protectedHeader.alg).toBe(algorithm)
      const { status, body } = await whoami(fakeRequest({ headers: { authorization: `Bearer ${access}` } }))
      expect([status, body]).toEqual([200, '{"user":"vitor"}'])
    }
  })
})

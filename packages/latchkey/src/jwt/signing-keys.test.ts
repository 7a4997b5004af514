import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { Keyring } from '../crypto/keyring.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import type { JwsAlgorithm } from './algorithms.js'
import { signJws } from './jws.js'
import type { JwtOptions } from './jwt-options.js'
import type { JwtPair, JwtService } from './jwt-service.js'
import { signingKey } from './signing-key.js'
import { SigningKeys } from './signing-keys.js'

const START_MS = Date.UTC(2030, 0, 1, 12, 0, 0, 250)
const SECRET = 'a secret of at least thirty-two characters'
const DAY = 86_400

describe('signing keys of the store', () => {
  const clock = fixedClock(START_MS)
  let store: Store
  let latchkey: Latchkey
  let keys: SigningKeys
  let jwts: JwtService
  let user: User

  async function start(jwt: Partial<JwtOptions> = {}) {
    latchkey = createLatchkey({ store, secret: SECRET, clock, jwt: { keys: 'store', ...jwt } })
    keys = latchkey.signingKeys
    if (latchkey.jwts === null) throw new Error('no JWTs')
    jwts = latchkey.jwts
  }

  beforeEach(async () => {
    clock.set(START_MS)
    store = memoryStore()
    await start()
    user = await latchkey.users.create({ username: 'vitor' })
  })

  const rotateNow = (algorithm?: JwsAlgorithm) => {
    clock.advance(1)
    return keys.rotate({ publishSeconds: 0, ...(algorithm && { algorithm }) })
  }
  const states = async () => (await keys.list()).map(({ state }) => state)
  const kidOf = (token: string) =>
    (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid?: string }).kid
  const signedBy = async () => kidOf((await jwts.issuePair(user)).access)
  const isTaken = async (token: string) => {
    try {
      return (await jwts.authenticate(token, ['access'])).user?.username === 'vitor'
    } catch (error) {
      expect(error).toMatchObject({ code: 'authentication_failed' })
      return false
    }
  }
  const isRefreshed = ({ refresh }: JwtPair) =>
    jwts.refresh(refresh).then(
      () => true,
      () => false,
    )

  it('are missing at first, which is said as such and never as a bad token', async () => {
    await expect(jwts.issuePair(user)).rejects.toMatchObject({
      code: 'signing_key_missing',
      status: 503,
      detail: expect.stringContaining('latchkey keys generate'),
    })
    expect(await store.jwts.deleteExpired(new Date(START_MS + 2 * DAY * 1000))).toBe(0)
  })

  it('begin with one that signs at once; a second generate makes none', async () => {
    const { key, created } = await keys.generate()
    expect([created, key.state, key.algorithm]).toEqual([true, 'signing', 'ES256'])
    expect(key.kid).toMatch(/^[\w-]{43}$/)
    expect(await keys.generate({ algorithm: 'EdDSA' })).toEqual({ key, created: false })
    expect(await signedBy()).toBe(key.kid)
    expect(await states()).toEqual(['signing'])
  })

  it.each(['RS256', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const)(
    'sign with %s what jose verifies by the published key',
    async (algorithm) => {
      await keys.generate({ algorithm })
      const { access } = await jwts.issuePair(user)
      const published = { keys: await jwts.publishedKeys() } as JSONWebKeySet
      const { payload, protectedHeader } = await jwtVerify(access, createLocalJWKSet(published), {
        currentDate: new Date(START_MS),
      })
      expect(protectedHeader).toEqual({ alg: algorithm, typ: 'JWT', kid: published.keys[0]?.kid })
      expect(payload).toMatchObject({ token_type: 'access' })
      expect(await isTaken(access)).toBe(true)
    },
  )

  it('are never secrets, which could not be published', async () => {
    for (const algorithm of ['HS256', 'none', 'constructor']) {
      const made = keys.generate({ algorithm: algorithm as JwsAlgorithm })
      await expect(made).rejects.toThrow(/^algorithm: must be one of RS256, /)
    }
    expect(await keys.list()).toEqual([])
  })

  it('are published before they sign, and verify until their last token has expired', async () => {
    const first = (await keys.generate()).key
    const second = await keys.rotate()
    expect([second.state, second.activeFrom.getTime()]).toEqual(['next', START_MS + 3_600_000])
    expect(await states()).toEqual(['signing', 'next'])
    expect((await jwts.publishedKeys()).map(({ kid }) => kid)).toEqual([first.kid, second.kid])

    clock.advance(3599.999)
    const last = await jwts.issuePair(user)
    expect(kidOf(last.refresh)).toBe(first.kid)
    clock.advance(0.001)
    expect(await signedBy()).toBe(second.kid)
    expect(await states()).toEqual(['verifying', 'signing'])

    clock.advance(DAY - 1)
    expect(await isRefreshed(last)).toBe(true)
    const [ended] = await keys.list()
    expect(ended?.retiresAt?.getTime()).toBe(START_MS + (3600 + DAY + 60) * 1000)
    clock.set(START_MS + (3600 + DAY + 60) * 1000)
    expect(await states()).toEqual(['retired', 'signing'])
    expect((await jwts.publishedKeys()).map(({ kid }) => kid)).toEqual([second.kid])
  })

  it('refuse nobody who caches the published keys for as long as the answer allows', async () => {
    await keys.generate()
    const maxAgeSeconds = 300
    let copy: { readonly kids: readonly (string | undefined)[]; readonly atMs: number } | undefined
    const rounds = new Set<string | undefined>()
    for (let second = 0; second < 4 * 3600; second += 97) {
      clock.set(START_MS + second * 1000)
      if (second % (97 * 40) === 0) await keys.rotate()
      if (copy === undefined || clock.nowMs() - copy.atMs >= maxAgeSeconds * 1000) {
        copy = { kids: (await jwts.publishedKeys()).map(({ kid }) => kid), atMs: clock.nowMs() }
      }
      const kid = await signedBy()
      rounds.add(kid)
      expect(copy.kids).toContain(kid)
    }
    expect(rounds.size).toBe(4)
  })

  it('come to their end by the clock too, for tokens in the cache as well', async () => {
    await keys.generate()
    await keys.rotate()
    await start({ accessTtlSeconds: 30 * DAY })
    const { access } = await jwts.issuePair(user)
    const [old] = await keys.list()
    clock.set((old?.retiresAt?.getTime() ?? 0) - 1)
    expect(await isTaken(access)).toBe(true)
    expect(jwts.authenticate(access, ['access'])).not.toBeInstanceOf(Promise)
    clock.advance(0.001)
    expect(await isTaken(access)).toBe(false)
  })

  it('sign at once without waiting, on demand', async () => {
    const first = (await keys.generate()).key
    const pair = await jwts.issuePair(user)
    const second = await rotateNow('EdDSA')
    expect(second).toMatchObject({ state: 'signing', algorithm: 'EdDSA' })
    expect(await signedBy()).toBe(second.kid)
    expect(kidOf(pair.access)).toBe(first.kid)
    expect(await isTaken(pair.access)).toBe(true)
    expect(await isRefreshed(pair)).toBe(true)
    expect((await keys.rotate()).algorithm).toBe('EdDSA')
    await expect(keys.rotate({ publishSeconds: -1 })).rejects.toThrow(/^publishSeconds:/)
  })

  it('sign at once where none signs yet, whatever the wait', async () => {
    expect((await keys.rotate()).state).toBe('signing')
  })

  it('leave the table once they have ended and another rotation comes', async () => {
    await keys.generate()
    await rotateNow()
    clock.advance(DAY + 60)
    expect(await states()).toEqual(['retired', 'signing'])
    await keys.rotate()
    expect(await states()).toEqual(['signing', 'next'])
  })

  it('are retired: what they signed is refused at once, in the cache and out of it', async () => {
    const first = (await keys.generate()).key
    const pair = await jwts.issuePair(user)
    expect(await isTaken(pair.access)).toBe(true)
    expect(await keys.retire(first.kid)).toBe('needed')
    expect(await isTaken(pair.access)).toBe(true)

    await rotateNow()
    const fresh = await jwts.issuePair(user)
    expect(await isTaken(fresh.access)).toBe(true)
    expect(await keys.retire(first.kid)).toBe('retired')
    expect(await isTaken(pair.access)).toBe(false)
    expect(await isRefreshed(pair)).toBe(false)
    await expect(jwts.verify(pair.refresh)).rejects.toMatchObject({ extra: { code: 'token_not_valid' } })
    expect(await isTaken(fresh.access)).toBe(true)
    expect((await store.keys.list())[0]?.sealed).toBeNull()
    expect(await keys.retire(first.kid)).toBe('not_found')
    expect((await jwts.publishedKeys()).map(({ kid }) => kid)).not.toContain(first.kid)
  })

  it('are retired on a node, too, whose clock is behind', async () => {
    const first = (await keys.generate()).key
    const { access } = await jwts.issuePair(user)
    const behind = fixedClock(clock.nowMs())
    const other = createLatchkey({ store, secret: SECRET, clock: behind, jwt: { keys: 'store' } })
    expect((await other.jwts?.authenticate(access, ['access']))?.user?.username).toBe('vitor')
    await rotateNow()
    expect(await keys.retire(first.kid)).toBe('retired')
    await expect(Promise.resolve(other.jwts?.authenticate(access, ['access']))).rejects.toMatchObject({
      code: 'authentication_failed',
    })
  })

  it('let nobody go on with a retired key who verifies while it is being retired', async () => {
    const first = (await keys.generate()).key
    await rotateNow()
    const foreign = signJws(
      { token_type: 'access', exp: 4e9, jti: 'x', user_id: 1 },
      await privateKeyOf(first.kid),
    )
    expect(await isTaken(foreign)).toBe(true)
    const retired = keys.retire(first.kid)
    await retired
    const answers = await Promise.all(Array.from({ length: 20 }, () => isTaken(foreign)))
    expect(answers).toEqual(Array(20).fill(false))
  })

  it('are read again only when they have changed: a hot token asks nothing of the store', async () => {
    await keys.generate()
    const { access, refresh } = await jwts.issuePair(user)
    await isTaken(access)
    store.keys.list = () => Promise.reject(new Error('the keys were read'))
    expect(jwts.authenticate(access, ['access'])).not.toBeInstanceOf(Promise)
    await expect(jwts.refresh(refresh)).resolves.toHaveProperty('access')
    await expect(jwts.issuePair(user)).resolves.toHaveProperty('access')
  })

  it('are found too where changes of other processes arrive late, and read once a second at most for invented kids', async () => {
    await keys.generate()
    const late = { ...store, changes: { subscribe: () => () => undefined, catchUp: () => undefined } }
    const other = createLatchkey({ store: late, secret: SECRET, clock, jwt: { keys: 'store' } }).jwts
    const who = async (token: string) => (await other?.authenticate(token, ['access']))?.user?.username
    expect(await who((await jwts.issuePair(user)).access)).toBe('vitor')
    await rotateNow()
    expect(await who((await jwts.issuePair(user)).access)).toBe('vitor')

    let reads = 0
    const { list } = store.keys
    store.keys.list = () => {
      reads += 1
      return list()
    }
    clock.advance(1)
    for (let number = 0; number < 1000; number += 1) {
      const stranger = signingKey({ algorithm: 'HS256', key: SECRET, kid: `invented ${number}` })
      await expect(who(signJws({ exp: 4e9 }, stranger))).rejects.toMatchObject({
        code: 'authentication_failed',
      })
    }
    expect(reads).toBe(1)
  })

  it('that cannot be read refuse nobody as a bad token', async () => {
    await keys.generate()
    const { access } = await jwts.issuePair(user)
    await keys.rotate()
    const { list } = store.keys
    store.keys.list = () => Promise.reject(new Error('trouble'))
    await expect(jwts.authenticate(access, ['access'])).rejects.toThrow('trouble')
    store.keys.list = list
    expect(await isTaken(access)).toBe(true)
  })

  it('are looked up by a kid that is text and nothing else', async () => {
    await keys.generate()
    const { access } = await jwts.issuePair(user)
    const [, payload, signature] = access.split('.')
    for (const kid of ['../../etc/passwd', "' OR 1=1 --", '__proto__', 'x'.repeat(10_240), 1, null, {}]) {
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid })).toString('base64url')
      expect(await isTaken(`${header}.${payload}.${signature}`)).toBe(false)
    }
  })

  it('keep their algorithm: another one under the same kid is refused', async () => {
    const { key } = await keys.generate({ algorithm: 'RS256' })
    const [jwk] = await jwts.publishedKeys()
    const confused = signingKey({ algorithm: 'HS256', key: JSON.stringify(jwk), kid: key.kid })
    expect(await isTaken(signJws({ token_type: 'access', exp: 4e9, jti: 'x', user_id: 1 }, confused))).toBe(
      false,
    )
  })

  it('stand beside fixed keys, so that nobody logs in again who holds a token from before', async () => {
    const former = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
    await start({ verifyingKeys: [former] })
    await keys.generate()
    expect(await isTaken(signJws({ token_type: 'access', exp: 4e9, jti: 'x', user_id: 1 }, former))).toBe(
      true,
    )
    expect(JSON.stringify(await jwts.publishedKeys())).not.toContain('"oct"')
    expect(await jwts.publishedKeys()).toHaveLength(1)
  })

  it('are sealed, and resealed under a newer secret', async () => {
    await keys.generate()
    await rotateNow()
    const secrets = [SECRET]
    const other = new SigningKeys({ store, keyring: new Keyring(() => secrets), clock })
    expect(await other.reseal()).toEqual({ resealed: 0, unopened: 0 })
    secrets.unshift('another secret of at least thirty-two characters')
    expect((await store.keys.list()).map(({ sealed }) => sealed?.length)).toEqual([
      expect.any(Number),
      expect.any(Number),
    ])
    const fresh = new SigningKeys({ store, keyring: new Keyring(secrets), clock })
    expect(await fresh.reseal()).toEqual({ resealed: 2, unopened: 0 })
    expect(await fresh.reseal()).toEqual({ resealed: 0, unopened: 0 })
    // Who has the old secret alone cannot sign any more, and says so.
    await start()
    await expect(jwts.issuePair(user)).rejects.toMatchObject({ code: 'sealing_key_missing' })
    expect(await keys.reseal()).toEqual({ resealed: 0, unopened: 2 })
  })

  it('do not open in the row of another key', async () => {
    const first = (await keys.generate()).key
    const second = await rotateNow()
    const [one, two] = await store.keys.list()
    await store.keys.reseal(second.kid, two?.sealed ?? new Uint8Array(), one?.sealed ?? new Uint8Array())
    expect([one?.kid, two?.kid]).toEqual([first.kid, second.kid])
    await expect(jwts.issuePair(user)).rejects.toMatchObject({ code: 'sealing_key_missing' })
  })

  it('that are damaged are said to be, and can be retired', async () => {
    await keys.generate()
    await store.keys.insert(
      {
        kid: 'odd',
        algorithm: 'ES256',
        publicJwk: '{',
        sealed: null,
        createdAt: new Date(0),
        activeFrom: new Date(0),
        retiresAt: null,
      },
      null,
    )
    await expect(jwts.issuePair(user)).rejects.toMatchObject({
      code: 'store_unavailable',
      detail: 'signing key odd is damaged: retire it',
    })
    expect(await keys.retire('odd')).toBe('retired')
    await expect(jwts.issuePair(user)).resolves.toHaveProperty('access')
  })

  it('and what contradicts them refuse to start', () => {
    const fixed = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
    const wrong: ReadonlyArray<readonly [jwt: object, message: RegExp]> = [
      [{}, /^jwt\.signingKey:/],
      [{ keys: 'vault' }, /^jwt\.keys:/],
      [{ keys: 'store', signingKey: fixed }, /^jwt\.keys:/],
      [{ keys: 'store', publishSeconds: -1 }, /^jwt\.publishSeconds:/],
      [{ jwksUrl: 'http://issuer.example/jwks.json', audience: null }, /^jwt\.jwksUrl:/],
      [{ jwksUrl: 'https://issuer.example/jwks.json' }, /^jwt\.audience:/],
    ]
    for (const [jwt, message] of wrong) {
      expect(() => createLatchkey({ store, secret: SECRET, jwt: jwt as JwtOptions })).toThrow(message)
    }
  })

  /** What only a thief of the database and the secret could do. */
  async function privateKeyOf(kid: string) {
    const record = (await store.keys.list()).find((one) => one.kid === kid)
    const sealedAs = { kind: 'signing key', kid, algorithm: 'ES256' } as const
    const key = new Keyring(SECRET).open(record?.sealed ?? new Uint8Array(), sealedAs)
    return signingKey({ algorithm: 'ES256', key })
  }
})

import { beforeEach, describe, expect, it } from 'vitest'
import { Keyring } from '../crypto/keyring.js'
import { LatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store, UserRecord, UserSource } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { TokenService } from './token-service.js'

const SECRET = 'a secret of at least thirty-two characters'
const invalid = { code: 'authentication_failed', publicMessage: 'Invalid token.' }
const inactive = { code: 'authentication_failed', publicMessage: 'User inactive or deleted.' }

const NEVER_USED = { count: 0, lastUsedAt: null, lastUsedAddress: null }

describe('TokenService', () => {
  const clock = fixedClock()
  let store: Store
  let latchkey: Latchkey
  let user: User

  beforeEach(async () => {
    store = memoryStore()
    latchkey = createLatchkey({ store, secret: SECRET, clock })
    user = await latchkey.users.create({ username: 'vitor' })
  })

  const outcome = async (secret: string) => {
    try {
      return (await latchkey.tokens.verify(secret)).user.username
    } catch (error) {
      return error
    }
  }

  it('issues 40 lower-case hex digits and verifies them', async () => {
    const { token, secret } = await latchkey.tokens.issue({ user })
    expect(secret.reveal()).toMatch(/^[0-9a-f]{40}$/)
    expect(token).toMatchObject({ policy: 'authtoken', userId: user.id, expiresAt: null })
    expect(token.hint).toBe(`…${secret.reveal().slice(-4)}`)
    expect(await outcome(secret.reveal())).toBe('vitor')
  })

  it('refuses to issue a second token of a policy that allows one', async () => {
    await latchkey.tokens.issue({ user })
    await expect(latchkey.tokens.issue({ user })).rejects.toMatchObject({ code: 'token_exists' })
    await expect(latchkey.tokens.issue({ user: 99 })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('gives 100 concurrent callers of getOrCreate one and the same secret', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => latchkey.tokens.getOrCreate({ user })))
    expect(new Set(all.map(({ secret }) => secret.reveal())).size).toBe(1)
    expect(all.filter(({ created }) => created)).toHaveLength(1)
  })

  it('replaces an expired token instead of giving it out again', async () => {
    const first = await latchkey.tokens.getOrCreate({ user, ttlSeconds: 10 })
    clock.advance(10)
    const second = await latchkey.tokens.getOrCreate({ user, ttlSeconds: 10 })
    expect(second.created).toBe(true)
    expect(second.secret.reveal()).not.toBe(first.secret.reveal())
  })

  it('refuses a token from the very instant of its expiry, also when it is cached', async () => {
    const { secret } = await latchkey.tokens.issue({ user, ttlSeconds: 10 })
    clock.advance(9.999)
    expect(await outcome(secret.reveal())).toBe('vitor')
    clock.advance(0.001)
    expect(await outcome(secret.reveal())).toMatchObject(invalid)
  })

  it('answers unknown, revoked, expired, empty and oversized secrets alike', async () => {
    const { token, secret } = await latchkey.tokens.issue({ user })
    await outcome(secret.reveal())
    expect(await latchkey.tokens.revoke(token)).toBe(true)
    for (const text of [secret.reveal(), 'nonsense', '', 'x'.repeat(5000), '\u0000', 'tök\ud800']) {
      expect(await outcome(text), JSON.stringify(text.slice(0, 20))).toMatchObject(invalid)
    }
    expect(await latchkey.tokens.revoke(token)).toBe(false)
  })

  it('answers a cached token synchronously and without asking the store', async () => {
    const { secret } = await latchkey.tokens.issue({ user })
    await latchkey.tokens.verify(secret.reveal())
    let asked = 0
    const findByDigest = store.tokens.findByDigest
    store.tokens.findByDigest = (digest) => {
      asked += 1
      return findByDigest.call(store.tokens, digest)
    }
    expect(latchkey.tokens.verify(secret.reveal())).not.toBeInstanceOf(Promise)
    expect(asked).toBe(0)
  })

  it('refuses every token of a deactivated or deleted user at once', async () => {
    const { secret } = await latchkey.tokens.issue({ user })
    expect(await outcome(secret.reveal())).toBe('vitor')
    await latchkey.users.deactivate(user)
    expect(await outcome(secret.reveal())).toMatchObject(inactive)
    await latchkey.users.activate(user)
    expect(await outcome(secret.reveal())).toBe('vitor')
    await latchkey.users.delete(user)
    expect(await outcome(secret.reveal())).toMatchObject(invalid)
  })

  it('shows a change of the user to the next verification', async () => {
    const { secret } = await latchkey.tokens.issue({ user })
    await outcome(secret.reveal())
    await latchkey.users.update(user, { username: 'victor', isStaff: true })
    expect((await latchkey.tokens.verify(secret.reveal())).user).toMatchObject({
      username: 'victor',
      isStaff: true,
    })
  })

  it('does not remember a token that was revoked while it was being looked up', async () => {
    const { token, secret } = await latchkey.tokens.issue({ user })
    const findByDigest = store.tokens.findByDigest
    store.tokens.findByDigest = async (digest) => {
      const found = await findByDigest.call(store.tokens, digest)
      store.tokens.findByDigest = findByDigest
      await latchkey.tokens.revoke(token)
      return found
    }
    await outcome(secret.reveal())
    expect(await outcome(secret.reveal())).toMatchObject(invalid)
  })

  it('shares revocation between two services on one store', async () => {
    const other = new TokenService({ store, users: store.users, keyring: new Keyring(SECRET), clock })
    const { token, secret } = await latchkey.tokens.issue({ user })
    await other.verify(secret.reveal())
    await latchkey.tokens.revoke(token)
    await expect(other.verify(secret.reveal())).rejects.toMatchObject(invalid)
  })

  it('lets trouble in the store through as store_unavailable, and never says yes', async () => {
    const { secret } = await latchkey.tokens.issue({ user })
    store.tokens.findByDigest = () => Promise.reject(new LatchkeyError('store_unavailable'))
    expect(await outcome(secret.reveal())).toMatchObject({ code: 'store_unavailable', status: 503 })
  })

  it('takes over a token of another system, of any shape, once', async () => {
    await latchkey.tokens.import({ user, secret: 'abcd1234' })
    expect(await outcome('abcd1234')).toBe('vitor')
    const other = await latchkey.users.create({ username: 'other' })
    await expect(latchkey.tokens.import({ user: other, secret: 'abcd1234' })).rejects.toMatchObject({
      code: 'token_exists',
    })
    await expect(latchkey.tokens.import({ user: other, secret: '' })).rejects.toThrow(/^secret:/)
  })

  it('lists without secrets and revokes all of a user', async () => {
    const other = await latchkey.users.create({ username: 'other' })
    const mine = await latchkey.tokens.issue({ user })
    const theirs = await latchkey.tokens.issue({ user: other })
    expect(await latchkey.tokens.list({ user })).toEqual([
      { ...mine.token, use: NEVER_USED, previousUse: null },
    ])
    expect(JSON.stringify(await latchkey.tokens.list())).not.toContain(mine.secret.reveal().slice(4, 36))
    expect(await latchkey.tokens.revokeAll({ user })).toBe(1)
    expect(await outcome(mine.secret.reveal())).toMatchObject(invalid)
    expect(await outcome(theirs.secret.reveal())).toBe('other')
  })

  it('names an unknown policy and a wrong lifetime', async () => {
    await expect(latchkey.tokens.issue({ user, policy: 'nope' })).rejects.toThrow(/^policy:/)
    await expect(latchkey.tokens.issue({ user, ttlSeconds: Number.NaN })).rejects.toThrow(/^ttlSeconds:/)
  })

  it('reseals everything under the newest key, after which the old secret can go', async () => {
    const { token, secret } = await latchkey.tokens.issue({ user })
    const newer = 'a newer secret of thirty-two characters or more'
    const both = createLatchkey({ store, secret: [newer, SECRET], clock })
    expect(await both.tokens.reseal()).toEqual({ resealed: 1, unopened: 0 })
    expect(await both.tokens.reseal()).toEqual({ resealed: 0, unopened: 0 })
    const after = createLatchkey({ store, secret: newer, clock })
    expect((await after.tokens.reveal(token)).reveal()).toBe(secret.reveal())
    await expect(latchkey.tokens.reveal(token)).rejects.toMatchObject({
      code: 'sealing_key_missing',
      status: 503,
    })
    expect(await outcome(secret.reveal())).toBe('vitor')
  })

  describe('with a users table of your own', () => {
    const table = new Map<string, UserRecord>()
    const users: UserSource = {
      findById: async (id) => table.get(String(id)) ?? null,
      findByUsername: async (username) =>
        [...table.values()].find((one) => one.username === username) ?? null,
    }

    beforeEach(async () => {
      const record = await store.users.findById(user.id)
      if (record !== null) table.set('u-1', { ...record, id: 'u-1', username: 'own', isActive: true })
      store = memoryStore({ externalUsers: true })
    })

    it('asks it at every use, so that a change there counts at once', async () => {
      latchkey = createLatchkey({ store, users, secret: SECRET, clock })
      const { secret } = await latchkey.tokens.getOrCreate({ user: 'u-1' })
      expect(await outcome(secret.reveal())).toBe('own')
      table.set('u-1', { ...(table.get('u-1') as UserRecord), isActive: false })
      expect(await outcome(secret.reveal())).toMatchObject(inactive)
      table.delete('u-1')
      expect(await outcome(secret.reveal())).toMatchObject(inactive)
    })

    it('with a cache is told of changes', async () => {
      latchkey = createLatchkey({ store, users, secret: SECRET, clock, cacheEntries: 10 })
      const { secret } = await latchkey.tokens.getOrCreate({ user: 'u-1' })
      expect(await outcome(secret.reveal())).toBe('own')
      table.set('u-1', { ...(table.get('u-1') as UserRecord), isActive: false })
      latchkey.userChanged('u-1')
      expect(await outcome(secret.reveal())).toMatchObject(inactive)
    })
  })

  it('works without a cache', async () => {
    const uncached = createLatchkey({ store, secret: SECRET, clock, cacheEntries: 0 })
    const { secret } = await uncached.tokens.issue({ user })
    await expect(uncached.tokens.verify(secret.reveal())).resolves.toMatchObject({
      user: { username: 'vitor' },
    })
    expect(() => createLatchkey({ store, secret: SECRET, cacheEntries: -1 })).toThrow(/^cacheEntries:/)
  })
})

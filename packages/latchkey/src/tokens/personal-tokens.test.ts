import { beforeEach, describe, expect, it } from 'vitest'
import { personalTokens } from '../endpoints/personal-tokens.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'

const SECRET = 'a secret of at least thirty-two characters'
const START_MS = Date.UTC(2030, 0, 1, 12)
const invalid = { code: 'authentication_failed', publicMessage: 'Invalid token.' }
const HOME = { clientAddress: '192.0.2.1' }
const DAY_MS = 86_400_000

describe('tokens of a personal policy', () => {
  let clock = fixedClock(START_MS)
  let store: Store
  let lookUps = 0
  let latchkey: Latchkey
  let user: User
  let grants: readonly string[] | null

  beforeEach(async () => {
    clock = fixedClock(START_MS)
    store = memoryStore()
    lookUps = 0
    grants = null
    const { tokens } = store
    const counting = {
      ...tokens,
      findByDigest: (digest: Uint8Array) => {
        lookUps += 1
        return tokens.findByDigest(digest)
      },
    }
    const { policy } = personalTokens({ ownerScopes: () => grants, maxTtlSeconds: 365 * 86_400 })
    latchkey = createLatchkey({
      store: { ...store, tokens: counting },
      secret: SECRET,
      clock,
      policies: [policy],
    })
    user = await latchkey.users.create({ username: 'vitor' })
  })

  const issue = (options: object = {}) => latchkey.tokens.issue({ user, policy: 'personal', ...options })
  const verify = async (secret: string, caller?: { clientAddress: string }) =>
    latchkey.tokens.verify(secret, undefined, caller)

  it('look like lk_pat_…, live 90 days, and are told by their hint', async () => {
    const { token, secret } = await issue({ name: 'CI' })
    expect(secret.reveal()).toMatch(/^lk_pat_[0-9A-Za-z]{39}$/)
    expect(token.hint).toBe(`lk_pat_…${secret.reveal().slice(-4)}`)
    expect(token.expiresAt).toEqual(new Date(START_MS + 90 * DAY_MS))
    expect(await verify(secret.reveal())).toMatchObject({ user: { username: 'vitor' }, auth: { name: 'CI' } })
  })

  it('are refused without a look at the store when one character is wrong', async () => {
    const { secret } = await issue()
    const text = secret.reveal()
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'x' ? 'y' : 'x'
      await expect(verify(text.slice(0, at) + other + text.slice(at + 1))).rejects.toMatchObject(invalid)
    }
    for (const cut of [text.slice(0, -1), `${text}0`, 'lk_pat_', `lk_pat_${'a'.repeat(4000)}`])
      await expect(verify(cut)).rejects.toMatchObject(invalid)
    expect(lookUps).toBe(0)
    await verify(text)
    expect(lookUps).toBe(1)
  })

  it('may be used from their addresses only, hot and cold, and from nowhere when the address is not known', async () => {
    const { secret } = await issue({ allowedAddresses: ['192.0.2.0/24', '2001:db8::/32'] })
    const text = secret.reveal()
    for (let round = 0; round < 2; round += 1) {
      await expect(verify(text, { clientAddress: '198.51.100.1' })).rejects.toMatchObject(invalid)
      await expect(verify(text)).rejects.toMatchObject(invalid)
      await expect(verify(text, { clientAddress: '' })).rejects.toMatchObject(invalid)
      expect(await verify(text, HOME)).toBeDefined()
      expect(await verify(text, { clientAddress: '2001:db8:7::1' })).toBeDefined()
    }
  })

  it('never have more scopes than their owner, when issued and at every use', async () => {
    grants = ['orders:*']
    await expect(issue({ scopes: ['orders:read', 'users:read'] })).rejects.toMatchObject({ code: 'invalid' })
    const { secret } = await issue({ scopes: ['orders:read', 'orders:write'] })
    const { secret: all } = await issue({ scopes: null })
    expect((await verify(secret.reveal())).auth.scopes).toEqual(['orders:read', 'orders:write'])
    expect((await verify(all.reveal())).auth.scopes).toEqual(['orders:*'])
    grants = ['orders:read', 'users:*']
    await latchkey.users.update(user, { email: 'moved@example.com' })
    expect((await verify(secret.reveal())).auth.scopes).toEqual(['orders:read'])
    expect((await verify(all.reveal())).auth.scopes).toEqual(['orders:read', 'users:*'])
  })

  it('refuse scopes and addresses that are none, and a life beyond the policy', async () => {
    for (const wrong of [
      { scopes: ['two words'] },
      { scopes: ['a:*:b'] },
      { allowedAddresses: [] },
      { allowedAddresses: ['10.0.0.1/33'] },
      { ttlSeconds: null },
      { ttlSeconds: 366 * 86_400 },
    ])
      await expect(issue(wrong), JSON.stringify(wrong)).rejects.toMatchObject({ code: 'invalid' })
    expect(await latchkey.tokens.list()).toEqual([])
  })

  it('change by update from the next use on', async () => {
    const { token, secret } = await issue({ scopes: ['orders:read'] })
    await verify(secret.reveal())
    expect(await latchkey.tokens.update(token, { scopes: ['users:read'], name: 'new' })).toBe(true)
    expect((await verify(secret.reveal())).auth).toMatchObject({ scopes: ['users:read'], name: 'new' })
    await latchkey.tokens.update(token, { ttlSeconds: 0 })
    await expect(verify(secret.reveal())).rejects.toMatchObject(invalid)
    expect(await latchkey.tokens.update(999, {})).toBe(false)
  })

  it('rotate with an overlap in which both secrets work, under one id', async () => {
    const { token, secret } = await issue({ name: 'CI', scopes: ['orders:read'] })
    await verify(secret.reveal(), HOME)
    const rotated = await latchkey.tokens.rotate(token, { overlapSeconds: 100 })
    expect(rotated.token).toMatchObject({
      id: token.id,
      name: 'CI',
      scopes: ['orders:read'],
      expiresAt: token.expiresAt,
      previous: { hint: token.hint, endsAt: new Date(START_MS + 100_000) },
    })
    for (let use = 0; use < 3; use += 1) await verify(rotated.secret.reveal(), HOME)
    clock.advance(99)
    await verify(secret.reveal(), { clientAddress: '192.0.2.9' })
    expect(await latchkey.tokens.get(token.id)).toMatchObject({
      use: { count: 3, lastUsedAt: new Date(START_MS), lastUsedAddress: '192.0.2.1' },
      previousUse: { count: 2, lastUsedAt: new Date(START_MS + 99_000), lastUsedAddress: '192.0.2.9' },
    })
    clock.advance(1)
    await expect(verify(secret.reveal(), HOME)).rejects.toMatchObject(invalid)
    expect(await verify(rotated.secret.reveal(), HOME)).toBeDefined()
  })

  it('end the overlap when told, at a second rotation, and at once with an overlap of 0', async () => {
    const first = await issue()
    const second = await latchkey.tokens.rotate(first.token)
    await verify(first.secret.reveal())
    expect(await latchkey.tokens.finishRotation(first.token)).toBe(true)
    expect(await latchkey.tokens.finishRotation(first.token)).toBe(false)
    await expect(verify(first.secret.reveal())).rejects.toMatchObject(invalid)
    const third = await latchkey.tokens.rotate(first.token)
    const fourth = await latchkey.tokens.rotate(first.token, { overlapSeconds: 0 })
    for (const ended of [second, third])
      await expect(verify(ended.secret.reveal())).rejects.toMatchObject(invalid)
    expect(await verify(fourth.secret.reveal())).toBeDefined()
    await expect(latchkey.tokens.rotate(999)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('of concurrent rotations of one token one wins and the others are told', async () => {
    const { token } = await issue()
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => latchkey.tokens.rotate(token)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
  })

  it('are revoked by user, by policy and by hint, never all by mistake', async () => {
    const issued = [await issue(), await issue(), await issue()]
    await latchkey.tokens.issue({ user })
    await expect(latchkey.tokens.revokeAll({})).rejects.toThrow(/^revokeAll:/)
    expect(await latchkey.tokens.revokeAll({ hint: issued[0]?.token.hint ?? '' })).toBe(1)
    await expect(verify(issued[0]?.secret.reveal() ?? '')).rejects.toMatchObject(invalid)
    expect(await latchkey.tokens.revokeAll({ user, policy: 'personal' })).toBe(2)
    expect(await latchkey.tokens.list({ user })).toHaveLength(1)
  })

  it('count their uses in memory: 1000 of them are no write, and one flush is one', async () => {
    const { token, secret } = await issue()
    let writes = 0
    const { recordUses } = store.tokens
    Object.assign(store.tokens, {
      recordUses: (uses: Parameters<typeof recordUses>[0]) => {
        writes += 1
        return recordUses(uses)
      },
    })
    const counting = createLatchkey({
      store,
      secret: SECRET,
      clock,
      policies: [personalTokens().policy],
    })
    for (let use = 0; use < 1000; use += 1) await counting.tokens.verify(secret.reveal(), undefined, HOME)
    expect(writes).toBe(0)
    await counting.tokens.flushUses()
    await counting.tokens.flushUses()
    expect(writes).toBe(1)
    expect(await latchkey.tokens.get(token.id)).toMatchObject({ use: { count: 1000 } })
  })

  it('try a batch that failed again at its time, and not in a circle, however many secrets wait', async () => {
    let tries = 0
    const failing = {
      ...store,
      tokens: {
        ...store.tokens,
        recordUses: () => {
          tries += 1
          return Promise.reject(new Error('full'))
        },
      },
    }
    const told: unknown[] = []
    const counting = createLatchkey({
      store: failing,
      secret: SECRET,
      clock,
      policies: [personalTokens().policy],
      onError: (error) => told.push(error),
    })
    for (let count = 0; count < 1200; count += 1) {
      const { secret } = await issue()
      await counting.tokens.verify(secret.reveal(), undefined, HOME)
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(tries).toBe(1)
    expect(told).toHaveLength(1)
    await expect(counting.tokens.flushUses()).rejects.toThrow('full')
    expect(tries).toBe(2)
  })

  it('count one secret once, though nothing is kept in memory and each use looks it up', async () => {
    const { token, secret } = await issue()
    const uncached = createLatchkey({
      store,
      secret: SECRET,
      clock,
      policies: [personalTokens().policy],
      cacheEntries: 0,
    })
    let batch = 0
    const { recordUses } = store.tokens
    Object.assign(store.tokens, {
      recordUses: (uses: Parameters<typeof recordUses>[0]) => {
        batch = uses.length
        return recordUses(uses)
      },
    })
    for (let use = 0; use < 10; use += 1) await uncached.tokens.verify(secret.reveal(), undefined, HOME)
    await uncached.tokens.flushUses()
    expect(batch).toBe(1)
    expect(await latchkey.tokens.get(token.id)).toMatchObject({ use: { count: 10 } })
  })

  it('do not live on because of a rotation while they were ended', async () => {
    const { token, secret } = await issue()
    const outcomes = await Promise.allSettled([
      latchkey.tokens.update(token, { ttlSeconds: 0 }),
      latchkey.tokens.rotate(token),
    ])
    await expect(verify(secret.reveal())).rejects.toMatchObject(invalid)
    const rotated = outcomes[1]
    if (rotated.status === 'fulfilled')
      await expect(verify(rotated.value.secret.reveal())).rejects.toMatchObject(invalid)
  })

  it('may do nothing when the owner has said nothing, and nothing where their policy is not known', async () => {
    const { policy } = personalTokens({ ownerScopes: () => undefined as never })
    const silent = createLatchkey({ store, secret: SECRET, clock, policies: [policy] })
    const { secret } = await issue()
    expect((await silent.tokens.verify(secret.reveal())).auth.scopes).toEqual([])
    const unaware = createLatchkey({ store, secret: SECRET, clock })
    await expect((async () => unaware.tokens.verify(secret.reveal()))()).rejects.toMatchObject(invalid)
  })

  it('cannot stand beside tokens that begin as they do', () => {
    const knoxLike = { ...personalTokens().policy, name: 'other', format: null, prefix: 'lk_pat_x' }
    expect(() =>
      createLatchkey({ store, secret: SECRET, policies: [personalTokens().policy, knoxLike] }),
    ).toThrow(/^policies: secrets of 'other' begin/)
  })

  it('keep uses that could not be written, and write them with the next batch', async () => {
    const { token, secret } = await issue()
    const { recordUses } = store.tokens
    let trouble = true
    const failing = {
      ...store,
      tokens: {
        ...store.tokens,
        recordUses: (uses: Parameters<typeof recordUses>[0]) =>
          trouble ? Promise.reject(new Error('full')) : recordUses(uses),
      },
    }
    const counting = createLatchkey({
      store: failing,
      secret: SECRET,
      clock,
      policies: [personalTokens().policy],
    })
    await counting.tokens.verify(secret.reveal(), undefined, HOME)
    await counting.tokens.verify(secret.reveal(), undefined, HOME)
    await expect(counting.tokens.flushUses()).rejects.toThrow('full')
    await counting.tokens.verify(secret.reveal(), undefined, { clientAddress: '192.0.2.7' })
    trouble = false
    await counting.tokens.flushUses()
    const expected = { use: { count: 3, lastUsedAddress: '192.0.2.7' } }
    expect(await latchkey.tokens.get(token.id)).toMatchObject(expected)
  })
})

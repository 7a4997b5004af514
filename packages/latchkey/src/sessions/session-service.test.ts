import { expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'

it('is verified until it expires, is ended, or its user is gone or inactive', async () => {
  const clock = fixedClock()
  const { users, sessions } = createLatchkey({
    store: memoryStore(),
    clock,
    secret: 'a secret of at least thirty-two characters',
    sessions: { ttlSeconds: 100 },
  })
  const user = await users.create({ username: 'vitor' })
  const first = (await sessions.start(user)).secret.reveal()
  const second = (await sessions.start(user)).secret.reveal()
  expect(first).toMatch(/^[0-9a-f]{64}$/)
  expect(first).not.toBe(second)
  expect(await sessions.verify(first)).toEqual(user)
  expect(await sessions.end(first)).toBe(true)
  expect(await sessions.verify(first)).toBeNull()
  await users.deactivate(user)
  expect(await sessions.verify(second)).toBeNull()
  await users.activate(user)
  expect(await sessions.verify(second)).not.toBeNull()
  clock.advance(100)
  expect(await sessions.verify(second)).toBeNull()
  clock.advance(1)
  expect(await sessions.deleteExpired()).toBe(1)
  for (const wrong of ['', 'x', 'x'.repeat(10_000)]) expect(await sessions.verify(wrong)).toBeNull()
})

it('ends after a time without a request, and at its absolute end however often it is used', async () => {
  const clock = fixedClock()
  const store = memoryStore()
  const { users, sessions } = createLatchkey({
    store,
    clock,
    secret: 'a secret of at least thirty-two characters',
    sessions: { ttlSeconds: 1000, idleTtlSeconds: 100 },
  })
  const user = await users.create({ username: 'vitor' })
  const used = (await sessions.start(user)).secret.reveal()
  const unused = await sessions.start(user)
  expect(unused.expiresAt.getTime()).toBe(clock.nowMs() + 100_000)
  for (let second = 0; second < 1000; second += 50) {
    expect(await sessions.verify(used)).toEqual(user)
    if (second === 100) expect(await sessions.verify(unused.secret.reveal())).toBeNull()
    clock.advance(50)
  }
  expect(await sessions.verify(used)).toBeNull()
})

it('is written to at most ten times within the time without a request', async () => {
  const clock = fixedClock()
  const store = memoryStore()
  let renewals = 0
  const counting = {
    ...store.sessions,
    renew: (...change: Parameters<typeof store.sessions.renew>) => {
      renewals += 1
      return store.sessions.renew(...change)
    },
  }
  const { users, sessions } = createLatchkey({
    store: { ...store, sessions: counting },
    clock,
    secret: 'a secret of at least thirty-two characters',
    sessions: { idleTtlSeconds: 100 },
  })
  const { secret } = await sessions.start(await users.create({ username: 'vitor' }))
  for (let use = 0; use < 1000; use += 1) {
    await sessions.verify(secret.reveal())
    clock.advance(0.1)
  }
  expect(renewals).toBeGreaterThan(5)
  expect(renewals).toBeLessThanOrEqual(10)
})

it('does not come back when it ends while its end is moved', async () => {
  const clock = fixedClock()
  const store = memoryStore()
  const racing = {
    ...store.sessions,
    renew: async (...change: Parameters<typeof store.sessions.renew>) => {
      await store.sessions.delete(change[0])
      return store.sessions.renew(...change)
    },
  }
  const { users, sessions } = createLatchkey({
    store: { ...store, sessions: racing },
    clock,
    secret: 'a secret of at least thirty-two characters',
    sessions: { idleTtlSeconds: 100 },
  })
  const { secret } = await sessions.start(await users.create({ username: 'vitor' }))
  clock.advance(50)
  expect(await sessions.verify(secret.reveal())).toBeNull()
})

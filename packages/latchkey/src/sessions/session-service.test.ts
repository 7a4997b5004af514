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

import { beforeEach, describe, expect, it } from 'vitest'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'

const PASSWORD = 'open sesame 1'
const cheap = argon2id({ memoryKib: 512, passes: 1 })

describe('LoginService', () => {
  const clock = fixedClock()
  let store: Store
  let latchkey: Latchkey

  beforeEach(async () => {
    store = memoryStore()
    latchkey = createLatchkey({
      store,
      clock,
      secret: 'a secret of at least thirty-two characters',
      loginRate: '3/min',
      passwords: { preferred: cheap },
    })
    await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    await latchkey.users.create({ username: 'inactive', password: PASSWORD, isActive: false })
    await latchkey.users.create({ username: 'nopassword' })
  })

  const login = (username: string, password = PASSWORD, address = '192.0.2.1') =>
    latchkey.login.login({ username, password, address }, { updateLastLogin: true })

  it('lets in the right password and writes the time', async () => {
    expect(await login('vitor')).toMatchObject({ username: 'vitor', lastLogin: new Date(clock.nowMs()) })
    expect(await latchkey.users.findByUsername('vitor')).toMatchObject({ lastLogin: new Date(clock.nowMs()) })
  })

  it.each([
    ['an unknown user', 'nobody', PASSWORD],
    ['a wrong password', 'vitor', 'wrong'],
    ['an empty password', 'vitor', ''],
    ['an inactive user', 'inactive', PASSWORD],
    ['an unusable password', 'nopassword', '!'],
    ['another case of the username', 'VITOR', PASSWORD],
    ['a NUL in the username', 'vitor\u0000', PASSWORD],
    ['a lone surrogate', 'vitor\ud800', PASSWORD],
    ['a password with a blank more', 'vitor', `${PASSWORD} `],
  ])('gives the same answer to %s', async (_, username, password) => {
    expect(await login(username, password)).toBeNull()
    expect((await latchkey.users.findByUsername('vitor'))?.lastLogin).toBeNull()
  })

  it('counts guesses per account and address, and says when to come back', async () => {
    for (let guess = 0; guess < 3; guess += 1) expect(await login('vitor', 'wrong')).toBeNull()
    await expect(login('vitor')).rejects.toMatchObject({ code: 'throttled', retryAfterSeconds: 60 })
    expect(await login('vitor', PASSWORD, '192.0.2.2')).not.toBeNull()
    expect(await login('nobody', 'wrong')).toBeNull()
    clock.advance(60)
    expect(await login('vitor')).not.toBeNull()
  })

  it('counts unknown accounts as known ones', async () => {
    for (let guess = 0; guess < 3; guess += 1) await login('nobody')
    await expect(login('nobody')).rejects.toMatchObject({ code: 'throttled' })
  })

  it('forgets failed guesses after the right password', async () => {
    for (let round = 0; round < 4; round += 1) {
      expect(await login('vitor', 'wrong')).toBeNull()
      expect(await login('vitor', 'wrong')).toBeNull()
      expect(await login('vitor')).not.toBeNull()
    }
  })

  it('checks no more parallel guesses than the rate allows', async () => {
    const guesses = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => login('vitor', `guess ${index}`)),
    )
    expect(guesses.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    for (const guess of guesses) {
      if (guess.status === 'rejected') expect(guess.reason).toMatchObject({ code: 'throttled' })
    }
  })

  it('never throttles parallel logins with the right password, where the rate has more room than hashes run', async () => {
    const twoAtATime = createLatchkey({
      store,
      clock,
      secret: 'a secret of at least thirty-two characters',
      loginRate: '3/min',
      passwords: { preferred: cheap, concurrency: 2 },
    })
    const credentials = { username: 'vitor', password: PASSWORD, address: '192.0.2.1' }
    const logins = await Promise.all(Array.from({ length: 50 }, () => twoAtATime.login.login(credentials)))
    expect(logins.every((user) => user?.username === 'vitor')).toBe(true)
  })

  it('upgrades an old hash after the right password only, without ending sessions', async () => {
    const [vitor] = await store.users.list()
    if (vitor === undefined) throw new Error('no user')
    await store.users.update(vitor.id, {
      passwordHash: 'md5$q48DortM5XvduH6CV4NChm$170b8ccdb4c9ac9012298141fa8619bb',
    })
    const { secret } = await latchkey.sessions.start(vitor)
    await login('vitor', 'wrong')
    expect((await store.users.findById(vitor.id))?.passwordHash).toMatch(/^md5\$/)
    expect(await login('vitor', 'secret')).not.toBeNull()
    expect((await store.users.findById(vitor.id))?.passwordHash).toMatch(/^argon2\$argon2id\$/)
    expect(await latchkey.sessions.verify(secret.reveal())).not.toBeNull()
    expect(await login('vitor', 'secret')).not.toBeNull()
  })

  it('takes as long for an unknown user and an inactive one as for a wrong password', async () => {
    const unthrottled = createLatchkey({
      store,
      secret: 'a secret of at least thirty-two characters',
      loginRate: null,
      passwords: { preferred: argon2id({ memoryKib: 8192, passes: 2 }) },
    })
    await unthrottled.users.setPassword(1, PASSWORD, { allowWeakPassword: true })
    await unthrottled.users.setPassword(2, PASSWORD, { allowWeakPassword: true })
    const timesMs: Record<string, number[]> = { vitor: [], nobody: [], inactive: [], nopassword: [] }
    for (let round = 0; round < 40; round += 1) {
      for (const [username, times] of Object.entries(timesMs)) {
        const start = performance.now()
        await unthrottled.login.login({ username, password: 'wrong', address: 'x' })
        times.push(performance.now() - start)
      }
    }
    const medianMs = (times: number[] = []) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0
    for (const times of Object.values(timesMs)) {
      expect(medianMs(times) / medianMs(timesMs.vitor)).toBeGreaterThan(0.75)
      expect(medianMs(times) / medianMs(timesMs.vitor)).toBeLessThan(1.33)
    }
  })
})

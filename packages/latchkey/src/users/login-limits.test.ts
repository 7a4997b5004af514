import { describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import type { LatchkeyOptions } from '../latchkey-options.js'
import { argon2id } from '../passwords/argon2id.js'
import { memoryStore } from '../stores/memory.js'
import type { CounterStore, Store, UserRecord, UserSource } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'

const PASSWORD = 'open sesame 1'
const SECRET = 'a secret of at least thirty-two characters'
const DAY_SECONDS = 24 * 3600
const cheap = argon2id({ memoryKib: 64, passes: 1 })
const HASH = await cheap.hash(PASSWORD)

type Outcome = 'right' | 'wrong' | number

/** One node on a store, and the outcome of a login: right, wrong, or after how many seconds to come back. */
function node(store: Store, options: Partial<LatchkeyOptions> = {}, clock = fixedClock()) {
  const latchkey = createLatchkey({
    store,
    clock,
    secret: SECRET,
    passwords: { preferred: cheap },
    ...options,
  })
  const login = async (username: string, password: string, address: string): Promise<Outcome> => {
    try {
      return (await latchkey.login.login({ username, password, address })) === null ? 'wrong' : 'right'
    } catch (error) {
      expect(error).toMatchObject({ code: 'throttled' })
      return Number(Reflect.get(Object(error), 'retryAfterSeconds'))
    }
  }
  return { latchkey, clock, login, guess: (name: string, address: string) => login(name, 'wrong', address) }
}

async function nodeWithUsers(options: Partial<LatchkeyOptions> = {}) {
  const one = node(memoryStore(), options)
  await one.latchkey.users.create({ username: 'vitor', password: PASSWORD })
  await one.latchkey.users.create({ username: 'mallory', password: PASSWORD })
  return one
}

const addressOf = (number: number) => `198.51.${number >> 8}.${number & 255}`

/** Every spelling of a name of five letters in upper and lower case. */
const spellings = (name: string) =>
  Array.from({ length: 2 ** name.length }, (_, bits) =>
    [...name].map((letter, index) => ((bits >> index) & 1 ? letter.toUpperCase() : letter)).join(''),
  )

/** A table of an app whose look-up compares names as this function makes them. */
function sourceComparing(by: (name: string) => string): UserSource {
  const record: UserRecord = {
    id: 'p1',
    username: 'vitor',
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
    passwordHash: HASH,
    passwordVersion: 0,
  }
  return {
    findById: async (id) => (id === record.id ? record : null),
    findByUsername: async (name) => (by(name) === by(record.username) ? record : null),
  }
}

const ignoringCase = (name: string) => name.toLowerCase()
const ignoringMore = (name: string) => name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim()

const own = (source: UserSource, options: Partial<LatchkeyOptions> = {}) =>
  node(memoryStore({ externalUsers: true }), { users: source, loginRate: '3/min', ...options })

describe('the limit per account and address, where a source finds one user by many names', () => {
  it.each([
    ['a known user', 'vitor'],
    ['an unknown user', 'nobod'],
  ])('counts 32 spellings of %s as one account', async (_, name) => {
    const { guess } = own(sourceComparing(ignoringCase))
    const outcomes = []
    for (const spelling of spellings(name)) outcomes.push(await guess(spelling, '192.0.2.1'))
    expect(outcomes.filter((outcome) => outcome === 'wrong')).toHaveLength(3)
    expect(outcomes.slice(3).every((outcome) => outcome === 60)).toBe(true)
  })

  it.each([
    ['a known user', 'vitor'],
    ['an unknown user', 'nobod'],
  ])('lets no more parallel guesses in by 32 spellings of %s', async (_, name) => {
    const { guess } = own(sourceComparing(ignoringCase))
    const outcomes = await Promise.all(spellings(name).map((spelling) => guess(spelling, '192.0.2.1')))
    expect(outcomes.filter((outcome) => outcome === 'wrong')).toHaveLength(3)
  })

  it.each([
    ['a known user', ['vitor', 'ｖitor', 'vítor', 'VI\u0301TOR', 'vitor ', ' vitor']],
    ['an unknown user', ['nobody', 'ｎobody', 'nóbody', 'NO\u0301BODY', 'nobody ', ' nobody']],
  ])('counts neighbours of %s in width, accents and blanks as one account', async (_, names) => {
    const { guess } = own(sourceComparing(ignoringMore))
    const outcomes = []
    for (const name of names) outcomes.push(await guess(name, '192.0.2.1'))
    expect(outcomes).toEqual(['wrong', 'wrong', 'wrong', 60, 60, 60])
  })

  it('does not tell by the number of names that share a limit whether a user exists', async () => {
    for (const names of [
      ['VITOR', 'Vitor', 'vITOR', 'vitor'],
      ['vitor', 'vitor', 'vitor', 'VITOR'],
    ]) {
      const known = own(sourceComparing((name) => name))
      const unknown = own({ findById: async () => null, findByUsername: async () => null })
      for (const name of names)
        expect(await known.guess(name, '192.0.2.1')).toBe(await unknown.guess(name, '192.0.2.1'))
    }
  })

  it('counts an account that is found by an alias under its id', async () => {
    const source = sourceComparing((name) => (name === 'vitor@example.com' ? 'vitor' : name))
    const { guess } = own(source)
    const names = ['vitor', 'vitor@example.com', 'vitor', 'vitor@example.com', 'vitor']
    const outcomes = []
    for (const name of names) outcomes.push(await guess(name, '192.0.2.1'))
    expect(outcomes).toEqual(['wrong', 'wrong', 'wrong', 60, 60])
  })

  it('is not cleared for a user by a neighbour in name who logs in', async () => {
    const users = sourceComparing((name) => name)
    const neighbour: UserSource = {
      ...users,
      findByUsername: async (name) => {
        const found = await users.findByUsername('vitor')
        if (found === null || !['vitor', 'VITOR'].includes(name)) return null
        return name === 'vitor' ? found : { ...found, id: 'p2', username: 'VITOR' }
      },
    }
    const { guess, login } = own(neighbour)
    const outcomes = []
    for (let round = 0; round < 5; round += 1) {
      outcomes.push(await guess('vitor', '192.0.2.1'))
      await login('VITOR', PASSWORD, '192.0.2.1')
    }
    expect(outcomes).toEqual(['wrong', 'wrong', 'wrong', 60, 60])
  })
})

describe('counting', () => {
  /** Names of the counters' methods in the order of their calls. */
  function observed(counters: CounterStore): { counters: CounterStore; calls: string[] } {
    const calls: string[] = []
    const note =
      <Args extends readonly unknown[], Answer>(name: string, method: (...args: Args) => Answer) =>
      (...args: Args) => {
        calls.push(name)
        return method(...args)
      }
    return {
      calls,
      counters: {
        hit: note('hit', counters.hit),
        peek: note('peek', counters.peek),
        undo: note('undo', counters.undo),
        merge: note('merge', counters.merge),
        clear: note('clear', counters.clear),
      },
    }
  }

  it.each(['the store’s users', 'users of the app'])(
    'costs the same for known and unknown: %s',
    async (whose) => {
      const store = memoryStore({ externalUsers: whose === 'users of the app' })
      const { counters, calls } = observed(store.counters)
      const users = whose === 'users of the app' ? { users: sourceComparing(ignoringCase) } : {}
      const { latchkey, guess } = node(store, { counters, loginRate: '3/min', ...users })
      if (whose !== 'users of the app') {
        await latchkey.users.create({ username: 'vitor', password: PASSWORD })
        await latchkey.users.create({ username: 'inactive', password: PASSWORD, isActive: false })
      }
      const callsOf = async (name: string) => {
        const rounds: string[] = []
        for (let round = 0; round < 5; round += 1) {
          calls.length = 0
          rounds.push(`${await guess(name, '192.0.2.1')}: ${calls.join(' ')}`)
        }
        return rounds
      }
      const known = await callsOf('vitor')
      expect(known[0]).toMatch(/^wrong: (peek )+hit.*hit$/)
      expect(known[4]).toMatch(/^60: (peek ?)+$/)
      expect(await callsOf('nobody')).toEqual(known)
      if (whose !== 'users of the app') expect(await callsOf('inactive')).toEqual(known)
    },
  )

  it('is not done at all where it is switched off', async () => {
    const store = memoryStore()
    const { counters, calls } = observed(store.counters)
    const { latchkey, guess } = node(store, { counters })
    await latchkey.login.login({ username: 'x', password: 'x', address: 'x' }, { throttle: false })
    expect(calls).toEqual([])
    const off = node(store, { counters, loginRate: null })
    for (let number = 0; number < 3; number += 1) await off.guess('x', '192.0.2.1')
    expect(calls).toEqual([])
    await guess('x', '192.0.2.1')
    expect(calls).not.toEqual([])
  })
})

describe('the limit per account', () => {
  it('is 100 an hour over all addresses, on all nodes', async () => {
    const store = memoryStore()
    const clock = fixedClock()
    const nodes = [node(store, {}, clock), node(store, {}, clock)]
    await nodes[0]?.latchkey.users.create({ username: 'vitor', password: PASSWORD })
    for (const name of ['vitor', 'nobody']) {
      const outcomes = []
      for (let number = 0; number < 103; number += 1) {
        clock.advance(1)
        outcomes.push(await nodes[number % 2]?.guess(name, addressOf(number)))
      }
      expect(outcomes.slice(0, 100).every((outcome) => outcome === 'wrong')).toBe(true)
      // The first one was at second 1, and now it is second 101 and later.
      expect(outcomes.slice(100)).toEqual([3500, 3499, 3498])
      clock.advance(3600)
    }
  })

  it('lets no more parallel guesses in', async () => {
    const { guess } = await nodeWithUsers({
      loginAccountRate: '5/hour',
      passwords: { preferred: cheap, concurrency: 3 },
    })
    const guesses = Array.from({ length: 40 }, (_, number) => guess('vitor', addressOf(number)))
    expect((await Promise.all(guesses)).filter((outcome) => outcome === 'wrong')).toHaveLength(5)
  })

  it('counts no right password, and a right password takes back none of the guesses', async () => {
    const { guess, login } = await nodeWithUsers({ loginAccountRate: '5/hour' })
    for (let number = 0; number < 20; number += 1)
      expect(await login('vitor', PASSWORD, addressOf(number))).toBe('right')
    for (let number = 0; number < 5; number += 1) {
      expect(await guess('vitor', addressOf(1000 + number))).toBe('wrong')
      expect(await login('vitor', PASSWORD, addressOf(number))).toBe('right')
    }
    expect(await guess('vitor', addressOf(2000))).toBe(3600)
  })

  it('does not lock the user out at an address of an earlier login', async () => {
    const { guess, login, clock } = await nodeWithUsers({ loginAccountRate: '5/hour', loginRate: '2/min' })
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe('right')
    expect(await login('vitor', PASSWORD, '2001:db8:1:2:3::4')).toBe('right')
    expect(await login('mallory', PASSWORD, '203.0.113.9')).toBe('right')
    for (let number = 0; number < 5; number += 1) await guess('vitor', addressOf(number))
    expect(await login('vitor', PASSWORD, '203.0.113.9')).toBe(3600)
    expect(await login('vitor', PASSWORD, '192.0.2.2')).toBe(3600)
    for (let round = 0; round < 3; round += 1) {
      expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe('right')
      expect(await login('vitor', PASSWORD, '2001:db8:1:2:ffff::9')).toBe('right')
    }
    expect(await login('vitor', PASSWORD, '2001:db8:1:3::4')).toBe(3600)
    // There the limit per account and address holds, and says when to come back.
    expect([await guess('vitor', '192.0.2.1'), await guess('vitor', '192.0.2.1')]).toEqual(['wrong', 'wrong'])
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe(60)
    clock.advance(60)
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe('right')
  })

  it('knows an address for 90 days, and the last 10 of a user', async () => {
    const { guess, login, clock } = await nodeWithUsers({ loginAccountRate: '1/day' })
    const isExempt = async (address: string) => (await login('vitor', PASSWORD, address)) === 'right'
    for (let number = 1; number <= 11; number += 1) {
      clock.advance(60)
      await login('vitor', PASSWORD, `192.0.2.${number}`)
    }
    clock.advance(89 * DAY_SECONDS)
    await guess('vitor', '203.0.113.9')
    expect([await isExempt('192.0.2.1'), await isExempt('192.0.2.2')]).toEqual([false, true])
    expect(await isExempt('192.0.2.11')).toBe(true)
    clock.advance(2 * DAY_SECONDS)
    await guess('vitor', '203.0.113.9')
    expect([await isExempt('192.0.2.3'), await isExempt('192.0.2.2')]).toEqual([false, true])
  })

  it('knows addresses on every node, after a rotation of the secret, and for text ids of an app', async () => {
    const store = memoryStore({ externalUsers: true })
    const clock = fixedClock()
    const options = { users: sourceComparing(ignoringCase), loginAccountRate: '1/day' }
    await node(store, options, clock).login('vitor', PASSWORD, '192.0.2.1')
    const newer = 'another secret of at least thirty-two characters'
    const rotated = node(store, { ...options, secret: [newer, SECRET] }, clock)
    await rotated.guess('vitor', '203.0.113.9')
    expect(await rotated.login('Vitor', PASSWORD, '192.0.2.1')).toBe('right')
    expect(
      await node(store, { ...options, secret: newer }, clock).login('vitor', PASSWORD, '192.0.2.1'),
    ).toBe('right')
    const foreign = node(store, { ...options, secret: `${newer}!` }, clock)
    expect(await foreign.login('vitor', PASSWORD, '192.0.2.1')).toBeGreaterThan(0)
  })

  it('writes an address once a day, and its row tells neither user nor address', async () => {
    const store = memoryStore()
    const rows: unknown[] = []
    const loginAddresses: Store['loginAddresses'] = {
      ...store.loginAddresses,
      note: (row, keep) => {
        rows.push([row, keep])
        return store.loginAddresses.note(row, keep)
      },
    }
    const { latchkey, login, clock } = node({ ...store, loginAddresses })
    const vitor = await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    await latchkey.users.create({ username: 'mallory', password: PASSWORD })
    for (let round = 0; round < 5; round += 1) await login('vitor', PASSWORD, '192.0.2.1')
    expect(rows).toHaveLength(1)
    expect(rows[0]).toEqual([
      {
        digest: expect.objectContaining({ length: 32 }),
        userId: vitor.id,
        expiresAt: new Date(clock.nowMs() + 90 * DAY_SECONDS * 1000),
      },
      10,
    ])
    await login('mallory', PASSWORD, '192.0.2.1')
    clock.advance(DAY_SECONDS)
    await login('vitor', PASSWORD, '192.0.2.1')
    await login('vitor', 'wrong', '192.0.2.2')
    expect(rows).toHaveLength(3)
    const digests = rows.map((row) =>
      Buffer.from(Reflect.get(Reflect.get(Object(row), 0), 'digest')).toString('hex'),
    )
    expect(new Set(digests).size).toBe(2)
    expect(await latchkey.login.deleteExpiredAddresses()).toBe(0)
    clock.advance(91 * DAY_SECONDS)
    expect(await latchkey.login.deleteExpiredAddresses()).toBe(2)
  })
})

describe('the limit per address', () => {
  it('is 100 an hour over all names', async () => {
    const { guess, login } = await nodeWithUsers()
    const outcomes = []
    for (let number = 0; number < 102; number += 1) outcomes.push(await guess(`name${number}`, '192.0.2.1'))
    expect(outcomes.filter((outcome) => outcome === 'wrong')).toHaveLength(100)
    expect(outcomes.slice(100)).toEqual([3600, 3600])
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe(3600)
    expect(await login('vitor', PASSWORD, '192.0.2.2')).toBe('right')
  })

  it('counts an IPv6 address as its /64', async () => {
    const { guess } = await nodeWithUsers({ loginAddressRate: '3/hour' })
    const outcomes = []
    for (let number = 1; number <= 4; number += 1)
      outcomes.push(await guess(`name${number}`, `2001:db8::${number}`))
    expect(outcomes).toEqual(['wrong', 'wrong', 'wrong', 3600])
    expect(await guess('name', '2001:db8:0:1::1')).toBe('wrong')
  })

  it('is not reset by the right password of an own account, and counts none', async () => {
    const { guess, login } = await nodeWithUsers({ loginAddressRate: '10/hour' })
    const outcomes = []
    for (let number = 0; number < 12; number += 1) {
      outcomes.push(await guess(`name${number}`, '192.0.2.1'))
      await login('mallory', PASSWORD, '192.0.2.1')
    }
    expect(outcomes.filter((outcome) => outcome === 'wrong')).toHaveLength(10)
  })

  it('holds at an address that is exempt from the limit per account', async () => {
    const { guess, login } = await nodeWithUsers({ loginAddressRate: '3/hour', loginAccountRate: '1/day' })
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe('right')
    await guess('vitor', '192.0.2.9')
    for (let number = 0; number < 3; number += 1) await guess(`name${number}`, '192.0.2.1')
    expect(await login('vitor', PASSWORD, '192.0.2.1')).toBe(3600)
  })

  it('does not hold where the address is not known: all callers would share it', async () => {
    const { guess } = await nodeWithUsers({ loginAddressRate: '1/hour' })
    for (let number = 0; number < 3; number += 1) expect(await guess(`name${number}`, '')).toBe('wrong')
  })
})

it.each(['loginRate', 'loginAccountRate', 'loginAddressRate'])(
  '%s: a wrong rate is refused by name',
  (name) => {
    expect(() => node(memoryStore(), { [name]: '10 per hour' })).toThrow(
      new RegExp(`^${name}: must look like`),
    )
    expect(() => node(memoryStore(), { [name]: 10 })).toThrow(new RegExp(`^${name}: must be`))
  },
)

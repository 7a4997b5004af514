import { runInNewContext } from 'node:vm'
import { beforeEach, describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { memoryStore } from '../stores/memory.js'
import type { UserRecord, UserSource } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { checkedUserRecord, checkedUserSource } from './user-record.js'

const cheap = argon2id({ memoryKib: 64, passes: 1 })
const HASH = await cheap.hash('open sesame 1')

const record: UserRecord = {
  id: 'p1',
  username: 'vitor',
  email: 'vitor@example.com',
  isActive: true,
  isStaff: false,
  isSuperuser: false,
  dateJoined: new Date(5),
  lastLogin: null,
  passwordHash: HASH,
  passwordVersion: 0,
}

/** A source whose look-ups return this, as an app without types would write it. */
function sourceOf(answer: (name: string) => unknown): UserSource {
  const look = (key: unknown) => answer(String(key))
  return { findById: look, findByUsername: look } as UserSource
}

const WRONG: ReadonlyArray<readonly [field: keyof UserRecord, values: readonly unknown[]]> = [
  [
    'id',
    [
      undefined,
      null,
      '',
      42n,
      Number.NaN,
      1.5,
      2 ** 53,
      Number.POSITIVE_INFINITY,
      {},
      [1],
      true,
      Symbol('x'),
    ],
  ],
  ['id', [{ toHexString: () => 'a'.repeat(24), toString: () => 'x' }, new Date(0)]],
  ['username', [undefined, null, 7, {}, Buffer.from('vitor'), Object('vitor')]],
  ['email', [undefined, null, 7]],
  [
    'isActive',
    [undefined, null, 0, 1, 'f', 't', 'false', '', Buffer.from([0]), Buffer.from([1]), {}, Object(false)],
  ],
  ['isStaff', [undefined, null, 0, 1, 'f', Buffer.from([1])]],
  ['isSuperuser', [undefined, null, 0, 1, 'f', Buffer.from([1])]],
  ['dateJoined', [undefined, null, '2026-01-01T00:00:00Z', 0, new Date(Number.NaN), {}]],
  ['lastLogin', ['2026-01-01T00:00:00Z', 0, new Date(Number.NaN), false]],
  ['passwordHash', [undefined, null, 7, Buffer.from(HASH), Object(HASH)]],
  ['passwordVersion', [undefined, null, '3', 3n, 1.5, -1, Number.NaN, 2 ** 31]],
]
const CASES = WRONG.flatMap(([field, values]) => values.map((value) => ({ field, value })))

describe('records of an app’s user source', () => {
  it.each(CASES)('$field: $value is an error that names the field', async ({ field, value }) => {
    const source = checkedUserSource(sourceOf(() => ({ ...record, [field]: value })))
    for (const method of ['findById', 'findByUsername'] as const) {
      const error: unknown = await source[method]('p1').catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'internal_error', status: 500 })
      expect(error).toMatchObject({
        detail: expect.stringContaining(`users.${method}: ${field} of the record`),
      })
      expect(String(error)).not.toContain(HASH)
    }
  })

  it.each([false, true, 0, 1, '', 'vitor', [], [record], () => record, Symbol('x'), 7n])(
    'an answer that is no record and not null is an error: %s',
    async (answer) => {
      await expect(checkedUserSource(sourceOf(() => answer)).findByUsername('vitor')).rejects.toMatchObject({
        code: 'internal_error',
        detail: expect.stringContaining('users.findByUsername must return a user record or null'),
      })
    },
  )

  it('undefined, null and promises of them are null', async () => {
    for (const answer of [undefined, null, Promise.resolve(undefined), Promise.resolve(null)]) {
      expect(await checkedUserSource(sourceOf(() => answer)).findById('p1')).toBeNull()
    }
  })

  it('takes plain values, thenables of a library and promises of another realm', async () => {
    // biome-ignore lint/suspicious/noThenProperty: what a query builder returns
    const thenable = { then: (done: (value: unknown) => void) => done(record) }
    const foreign: unknown = runInNewContext('Promise.resolve(record)', { record })
    for (const answer of [record, thenable, foreign]) {
      expect(await checkedUserSource(sourceOf(() => answer)).findById('p1')).toEqual(record)
    }
  })

  it('takes records of a class and of another realm, and copies them into a frozen object', async () => {
    class Person {
      readonly extra = 'not copied'
      get username() {
        return 'vitor'
      }
    }
    const { username, ...others } = record
    const person = Object.assign(new Person(), others)
    expect(person.username).toBe(username)
    const foreign: unknown = runInNewContext(
      `({ ...record, dateJoined: new Date(5), lastLogin: new Date(6) })`,
      { record },
    )
    const copy = checkedUserRecord(person, 'x')
    expect(copy).toEqual(record)
    expect(Object.isFrozen(copy)).toBe(true)
    expect(checkedUserRecord(foreign, 'x')).toEqual({ ...record, lastLogin: new Date(6) })
    const given = { ...record, dateJoined: new Date(7) }
    const checked = checkedUserRecord(given, 'x')
    given.dateJoined.setTime(9)
    expect(checked?.dateJoined.getTime()).toBe(7)
    expect(checkedUserRecord({ ...record, id: -0 }, 'x')?.id).toBe(0)
    expect(Object.is(checkedUserRecord({ ...record, id: -0 }, 'x')?.id, 0)).toBe(true)
  })

  it('does not take a field from a polluted Object.prototype', () => {
    const { isActive, ...incomplete } = record
    Object.defineProperty(Object.prototype, 'isActive', { value: true, configurable: true })
    try {
      expect(() => checkedUserRecord(incomplete, 'users.findById')).toThrow(/isActive of the record must/)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'isActive')
    }
    expect(isActive).toBe(true)
  })

  it('reads each field once', () => {
    let reads = 0
    const changing = {
      ...record,
      get isActive() {
        reads += 1
        return reads === 1 ? false : 'yes'
      },
    }
    expect(checkedUserRecord(changing, 'x')?.isActive).toBe(false)
    expect(reads).toBe(1)
  })
})

describe('a user source that fails', () => {
  const clock = fixedClock()
  const credentials = { username: 'vitor', password: 'open sesame 1', address: '192.0.2.1' }
  const latchkeyWith = (users: UserSource) =>
    createLatchkey({
      store: memoryStore({ externalUsers: true }),
      secret: 'a secret of at least thirty-two characters',
      clock,
      users,
      passwords: { preferred: cheap },
    })

  it.each([
    [
      'throws',
      () => {
        throw new RangeError('no database')
      },
      { name: 'RangeError' },
    ],
    ['rejects', () => Promise.reject(new RangeError('no database')), { name: 'RangeError' }],
    [
      'throws text',
      () => {
        throw 'no database'
      },
      { code: 'internal_error' },
    ],
    ['rejects with nothing', () => Promise.reject(), { code: 'internal_error' }],
    [
      'rejects with a refusal',
      () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOENT' })),
      { code: 'ENOENT' },
    ],
  ])('that %s is never an unknown user', async (_, answer, error) => {
    const { login, userSource } = latchkeyWith(sourceOf(answer))
    await expect(login.login(credentials)).rejects.toMatchObject(error)
    await expect(userSource.findById('p1')).rejects.toMatchObject(error)
  })

  it('cannot answer in place of Latchkey, but may say that it cannot be asked', async () => {
    const { LatchkeyError } = await import('../errors.js')
    for (const code of ['authentication_failed', 'not_found', 'throttled', 'invalid'] as const) {
      const { login } = latchkeyWith(sourceOf(() => Promise.reject(new LatchkeyError(code))))
      await expect(login.login(credentials)).rejects.toMatchObject({ code: 'internal_error' })
    }
    const away = latchkeyWith(sourceOf(() => Promise.reject(new LatchkeyError('store_unavailable'))))
    await expect(away.login.login(credentials)).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('answers undefined for an unknown user: the login is refused as for a known one', async () => {
    const { login } = latchkeyWith(sourceOf((key) => (['vitor', 'p1'].includes(key) ? record : undefined)))
    expect(await login.login({ ...credentials, username: 'nobody' })).toBeNull()
    expect(await login.login({ ...credentials, password: 'wrong' })).toBeNull()
    expect(await login.login(credentials)).toMatchObject({ id: 'p1', username: 'vitor' })
  })

  it('lets no user in whose flag is not a boolean', async () => {
    for (const isActive of ['f', 't', 1, 0, Buffer.from([0]), undefined]) {
      const { login } = latchkeyWith(sourceOf(() => ({ ...record, isActive })))
      await expect(login.login(credentials)).rejects.toMatchObject({ code: 'internal_error' })
    }
  })

  it('is told of a login; what recordLogin returns does not matter, what it throws does', async () => {
    const told: unknown[] = []
    const source = (recordLogin: (...change: unknown[]) => unknown) =>
      latchkeyWith({ ...sourceOf(() => record), recordLogin } as UserSource)
    const sync = source((...change) => told.push(change))
    await sync.login.login(credentials, { updateLastLogin: true })
    expect(told).toEqual([['p1', { lastLogin: new Date(clock.nowMs()) }]])
    const failing = source(() => {
      throw new RangeError('read-only')
    })
    await expect(failing.login.login(credentials, { updateLastLogin: true })).rejects.toThrow('read-only')
  })
})

describe('hashes of an app’s own table', () => {
  let upgraded: unknown[]
  const md5 = 'md5$q48DortM5XvduH6CV4NChm$170b8ccdb4c9ac9012298141fa8619bb'
  const loginWith = async (passwords: { upgrade?: boolean }) => {
    const { login } = createLatchkey({
      store: memoryStore({ externalUsers: true }),
      secret: 'a secret of at least thirty-two characters',
      users: {
        ...sourceOf(() => ({ ...record, id: 42, passwordHash: md5 })),
        recordLogin: async (_, { passwordHash }) => void upgraded.push(passwordHash),
      },
      passwords: { preferred: cheap, ...passwords },
    })
    const user = await login.login(
      { username: 'vitor', password: 'secret', address: '192.0.2.1' },
      { updateLastLogin: true },
    )
    expect(user?.id).toBe(42)
  }

  beforeEach(() => {
    upgraded = []
  })

  it('stay as they are by default', async () => {
    await loginWith({})
    expect(upgraded).toEqual([undefined])
  })

  it('are rewritten when that is asked for', async () => {
    await loginWith({ upgrade: true })
    expect(upgraded).toEqual([expect.stringMatching(/^argon2\$/)])
  })
})

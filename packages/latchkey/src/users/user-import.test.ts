import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { jwtAuthentication } from '../authenticators/jwt.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey } from '../latchkey.js'
import { pbkdf2Sha256 } from '../passwords/pbkdf2.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import type { ImportedUser, ImportRow } from './user-import.js'

const KEY = 'a signing key of at least thirty-two bytes'
const NOW_MS = Date.UTC(2030, 0, 1, 12)
const JOINED = new Date('2020-05-06T07:08:09.123Z')

function newLatchkey() {
  return createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    clock: fixedClock(NOW_MS),
    passwords: { preferred: pbkdf2Sha256({ iterations: 1000 }) },
    authentication: [jwtAuthentication()],
    jwt: { signingKey: signingKey({ algorithm: 'HS256', key: KEY }) },
  })
}

function row(id: number, username: string, fields: Partial<ImportedUser> = {}): ImportedUser {
  return { id, username, passwordHash: '!', dateJoined: JOINED, ...fields }
}

/** What djangorestframework-simplejwt issues. */
function djangoJwt(userId: unknown): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = NOW_MS / 1000 + 300
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ token_type: 'access', exp, iat: exp - 300, jti: 'a1', user_id: userId })}`
  return `${text}.${createHmac('sha256', KEY).update(text).digest('base64url')}`
}

describe('users.import', () => {
  it('keeps ids with gaps, so that a JWT of Django is the right user', async () => {
    const latchkey = newLatchkey()
    const report = await latchkey.users.import([
      row(3, 'alice', { email: 'alice@example.com', lastLogin: new Date(NOW_MS - 1) }),
      row(7, 'bob', { isStaff: true, isSuperuser: true }),
      row(12, 'carol', { isActive: false }),
    ])
    expect(report).toMatchObject({ created: 3, unchanged: 0, refusedCount: 0, dryRun: false })
    const gate = latchkey.gate()
    const who = async (userId: unknown) => {
      const headers = { authorization: `Bearer ${djangoJwt(userId)}` }
      return (await gate(fakeRequest({ headers }))).identity?.user?.username ?? null
    }
    expect(await Promise.all([3, 7].map(who))).toEqual(['alice', 'bob'])
    expect(await Promise.all([1, 2, 4, 12, 13].map(who))).toEqual([null, null, null, null, null])
    expect(await latchkey.users.get(3)).toEqual({
      id: 3,
      username: 'alice',
      email: 'alice@example.com',
      isActive: true,
      isStaff: false,
      isSuperuser: false,
      dateJoined: JOINED,
      lastLogin: new Date(NOW_MS - 1),
    })
    expect((await latchkey.users.create({ username: 'next' })).id).toBe(13)
  })

  it('keeps hashes of Django, with which its users log in', async () => {
    const latchkey = newLatchkey()
    const passwordHash = await pbkdf2Sha256({ iterations: 1000 }).hash('open sesame 1')
    await latchkey.users.import([row(9, 'alice', { passwordHash })])
    const credentials = { username: 'alice', password: 'open sesame 1', address: '192.0.2.1' }
    expect(await latchkey.login.login(credentials)).toMatchObject({ id: 9 })
  })

  it('is repeatable: who is there stays as they are', async () => {
    const latchkey = newLatchkey()
    const rows = [row(3, 'alice'), row(7, 'bob')]
    await latchkey.users.import(rows)
    await latchkey.users.update(3, { email: 'new@example.com' })
    expect(await latchkey.users.import(rows)).toMatchObject({ created: 0, unchanged: 2, refusedCount: 0 })
    expect((await latchkey.users.get(3))?.email).toBe('new@example.com')
  })

  it('changes nothing in a dry run, and where one row is refused', async () => {
    const latchkey = newLatchkey()
    expect(await latchkey.users.import([row(3, 'alice')], { dryRun: true })).toMatchObject({
      dryRun: true,
      created: 1,
    })
    const report = await latchkey.users.import([row(3, 'alice'), row(4, ''), row(3, 'bob')])
    expect(report).toMatchObject({ created: 1, unchanged: 0, refusedCount: 2 })
    expect(report.refused).toEqual([
      { at: 'row 2', id: 4, username: '', reason: 'the username is empty' },
      { at: 'row 3', id: 3, username: 'bob', reason: 'an earlier row has this id' },
    ])
    expect(await latchkey.users.list()).toEqual([])
  })

  const UNREADABLE: ReadonlyArray<readonly [row: unknown, reason: RegExp]> = [
    [{ ...row(1, 'a'), id: 0 }, /^id: must be a whole number/],
    [{ ...row(1, 'a'), id: 1.5 }, /^id: must/],
    [{ ...row(1, 'a'), id: '1' }, /^id: must/],
    [{ ...row(1, 'a'), id: 2 ** 53 }, /^id: must/],
    [{ username: 'a', passwordHash: '!' }, /^id: must/],
    [{ ...row(1, 'a'), isActive: 't' }, /^isActive: must be true or false/],
    [{ ...row(1, 'a'), dateJoined: new Date(Number.NaN) }, /^dateJoined: must be a valid Date/],
    [{ ...row(1, 'a'), lastLogin: '2020-01-01' }, /^lastLogin: must/],
    [{ ...row(1, 'a'), isAdmin: true }, /^isAdmin: users.import has no such option/],
    [row(1, '\uff41lice'), /NFKC form.*rename it to 'alice'/],
    [row(1, 'cafe\u0301'), /NFKC form/],
    [row(1, 'a\nb'), /control characters/],
    [row(1, 'a\u0000'), /control characters/],
    [row(1, 'x'.repeat(255)), /more than 254/],
    [row(1, 'a', { email: 'not an address' }), /email address/],
    [row(1, 'a', { passwordHash: 'md5$\u0000' }), /password hash/],
    [{ at: 'line 7', unreadable: 'is cut off' }, /^is cut off$/],
    [null, /takes an object/],
    ['alice', /takes an object/],
  ]

  it.each(UNREADABLE)('refuses a row and says why: %j', async (wrong, reason) => {
    const latchkey = newLatchkey()
    const rows = [row(8, 'fine'), wrong as ImportRow]
    const report = await latchkey.users.import(rows)
    expect(report.refusedCount).toBe(1)
    expect(report.refused[0]?.reason).toMatch(reason)
    expect(await latchkey.users.list()).toEqual([])
  })

  it('reports hashes of an unknown format, and keeps them', async () => {
    const latchkey = newLatchkey()
    const hashes = [
      'crypt$$ab',
      'argon2$broken',
      '$2b$12$abc',
      'plain',
      '!',
      '',
      '!x',
      'pbkdf2_sha256$0$salt$aGFzaA==',
    ]
    const { created, unknownHashCount, unknownHashes } = await latchkey.users.import(
      hashes.map((passwordHash, index) =>
        row(index + 1, `user${index}`, { passwordHash, at: `pk ${index + 1}` }),
      ),
    )
    expect([created, unknownHashCount]).toEqual([8, 5])
    expect(unknownHashes.map(({ at }) => at)).toEqual(['pk 1', 'pk 2', 'pk 3', 'pk 4', 'pk 8'])
  })

  it('lists at most 100 refusals, in the order of the source, and counts all', async () => {
    const latchkey = newLatchkey()
    const rows = Array.from({ length: 3000 }, (_, index) => (index % 2 === 0 ? row(1, 'same') : row(0, 'x')))
    const { refused, refusedCount } = await latchkey.users.import(rows)
    expect(refusedCount).toBe(2999)
    expect(refused.map(({ at }) => at)).toEqual(Array.from({ length: 100 }, (_, index) => `row ${index + 2}`))
  })

  it('reads any iterable once, and passes on what it throws', async () => {
    const latchkey = newLatchkey()
    async function* generated() {
      for (let id = 1; id <= 2500; id += 1) yield row(id, `user${id}`)
    }
    expect((await latchkey.users.import(generated())).created).toBe(2500)
    expect((await latchkey.users.import(new Set([row(9999, 'set')]))).created).toBe(1)
    const broken = new Error('line 3')
    function* breaking() {
      yield row(10_000, 'one')
      throw broken
    }
    await expect(latchkey.users.import(breaking())).rejects.toBe(broken)
    expect(await latchkey.users.get(10_000)).toBeNull()
  })

  it('keeps one batch of a source in memory', async () => {
    const store = memoryStore()
    const { import: original } = store.users
    const lengths: number[] = []
    let made = 0
    let held = 0
    const counting: typeof original = async (batches, options) => {
      for await (const batch of batches) {
        lengths.push(batch.length)
        held = Math.max(held, made - lengths.slice(0, -1).reduce((sum, length) => sum + length, 0))
      }
      return original((async function* () {})(), options)
    }
    const secret = 'a secret of at least thirty-two characters'
    const latchkey = createLatchkey({
      store: { ...store, users: { ...store.users, import: counting } },
      secret,
    })
    function* generated() {
      for (made = 1; made <= 2500; made += 1) yield row(made, `user${made}`)
    }
    await latchkey.users.import(generated())
    expect(lengths).toEqual([1000, 1000, 500])
    expect(held).toBeLessThanOrEqual(1001)
  })

  it('refuses what is no source and options that do not exist', async () => {
    const { users } = newLatchkey()
    const call = (...args: readonly unknown[]) => Reflect.apply(users.import, users, args) as Promise<unknown>
    for (const wrong of [undefined, null, 'users.json', {}, 7])
      await expect(call(wrong)).rejects.toThrow(/^rows: must/)
    await expect(call([], { dryrun: true })).rejects.toThrow(/^dryrun: users.import has no such option/)
    await expect(call([], { dryRun: 1 })).rejects.toThrow(/^dryRun: must be true or false/)
  })
})

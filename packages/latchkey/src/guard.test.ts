/** The guard lets through only identities that it checked itself, whatever the process or an app's code does. */
import { createContext, runInContext } from 'node:vm'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Authenticator } from './authenticators/authenticator.js'
import { basicAuthentication } from './authenticators/basic.js'
import { CheckedIdentity, type Identity, type User } from './identity.js'
import { createLatchkey } from './latchkey.js'
import { argon2id } from './passwords/argon2id.js'
import { any, not } from './permissions/combine.js'
import { hasScope } from './permissions/has-scope.js'
import { isAdminUser } from './permissions/is-admin.js'
import { isAuthenticated } from './permissions/is-authenticated.js'
import { isAuthenticatedOrReadOnly } from './permissions/is-authenticated-or-read-only.js'
import { type Permission, permission } from './permissions/permission.js'
import { memoryStore } from './stores/memory.js'
import { fakeRequest } from './testing/fake-request.js'
import { apiView } from './views/api-view.js'

const user: User = {
  id: 7,
  username: 'vitor',
  email: '',
  isActive: true,
  isStaff: false,
  isSuperuser: false,
  dateJoined: new Date(0),
  lastLogin: null,
}

const POST = { method: 'POST', path: '/' }
const otherRealm = createContext({})
const inOtherRealm = (code: string): unknown => runInContext(code, otherRealm)

type Then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void
const thenable = (then: Then): object => Object.fromEntries([['then', then]])

/** Asks gate and view behind an authenticator that answers this. */
async function ask(answer: () => unknown, permissions: readonly Permission[] = [isAuthenticated]) {
  const errors: unknown[] = []
  const authenticator: Authenticator = {
    name: 'Own',
    challenge: 'Own',
    authenticate: () => answer() as Identity | null,
  }
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    authentication: [authenticator],
    onError: (error) => errors.push(error),
  })
  const reached: unknown[] = []
  const view = apiView({
    permissions,
    get: (request) => {
      reached.push(request.user)
      return {}
    },
  })
  const outcome = await latchkey.gate(permissions)(fakeRequest())
  const { status } = await latchkey.handler(view)(fakeRequest())
  return { outcome, status, reached, errors }
}

describe('an authenticator of an app', () => {
  const incomplete: ReadonlyArray<readonly [what: string, answer: unknown]> = [
    ['false', false],
    ['true', true],
    ['0', 0],
    ['a text', 'vitor'],
    ['an empty object', {}],
    ['a list', [user]],
    ['a user without auth', { user }],
    ['auth without a user', { auth: null }],
    ['an undefined user', { user: undefined, auth: null }],
    ['a user that is a text', { user: 'vitor', auth: null }],
    ['an empty user', { user: {}, auth: null }],
    ['a promise of a user', { user: Promise.resolve(user), auth: null }],
    ['a user without an id', { user: { ...user, id: undefined }, auth: null }],
    ['an id that is no number', { user: { ...user, id: Number.NaN }, auth: null }],
    ['a bigint id', { user: { ...user, id: 7n }, auth: null }],
    ['an empty id', { user: { ...user, id: '' }, auth: null }],
    ['a flag that is a text', { user: { ...user, isActive: 'f' }, auth: null }],
    ['a flag that is a number', { user: { ...user, isStaff: 1 }, auth: null }],
    ['a flag that is missing', { user: { ...user, isSuperuser: undefined }, auth: null }],
    ['a date that is a text', { user: { ...user, dateJoined: '2026-01-01' }, auth: null }],
    ['an invalid date', { user: { ...user, lastLogin: new Date(Number.NaN) }, auth: null }],
    ['a function', () => ({ user, auth: null })],
  ]

  it.each(incomplete)('that answers %s is refused by name', async (_, answer) => {
    const { outcome, status, reached, errors } = await ask(() => answer)
    expect(outcome).toMatchObject({ identity: null, refusal: { status: 500 } })
    expect(status).toBe(500)
    expect(reached).toEqual([])
    expect(errors).toHaveLength(2)
    for (const error of errors) {
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain('Own.authenticate()')
    }
  })

  it.each(incomplete)('that resolves to %s is refused by name', async (_, answer) => {
    const { outcome, status, reached } = await ask(() => Promise.resolve(answer))
    expect(outcome).toMatchObject({ identity: null, refusal: { status: 500 } })
    expect([status, reached]).toEqual([500, []])
  })

  it.each([
    ['null', () => null],
    ['undefined', () => undefined],
    ['a promise of null', () => Promise.resolve(null)],
    ['a promise of another realm', () => inOtherRealm('Promise.resolve(null)')],
  ])('that answers %s has found no credential', async (_, answer) => {
    expect(await ask(answer)).toMatchObject({
      outcome: { identity: null, refusal: { status: 401 } },
      status: 401,
      reached: [],
      errors: [],
    })
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('down'))],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['rejects in another realm', () => inOtherRealm('Promise.reject(new Error("down"))')],
    [
      'throws in then',
      () =>
        thenable(() => {
          throw new Error('down')
        }),
    ],
  ])('that %s is an error', async (_, answer) => {
    expect(await ask(answer)).toMatchObject({
      outcome: { refusal: { status: 500 } },
      status: 500,
      reached: [],
    })
  })

  it.each([
    ['an identity', { user, auth: null }],
    ['a promise', Promise.resolve({ user, auth: null })],
    ['a thenable', thenable((resolve) => resolve({ user, auth: null }))],
    [
      'a thenable that resolves twice',
      thenable((resolve) => {
        resolve({ user, auth: null })
        resolve({ user: { ...user, id: 1, isStaff: true }, auth: null })
      }),
    ],
    [
      'an identity of another realm',
      inOtherRealm(`({ auth: null, user: { id: 7, username: 'vitor', email: '',
      isActive: true, isStaff: false, isSuperuser: false, dateJoined: new Date(0), lastLogin: null } })`),
    ],
    [
      'an object with accessors of its class',
      {
        user: new (class {
          get id() {
            return 7
          }
          get username() {
            return 'vitor'
          }
          get email() {
            return ''
          }
          get isActive() {
            return true
          }
          get isStaff() {
            return false
          }
          get isSuperuser() {
            return false
          }
          get dateJoined() {
            return new Date(0)
          }
          get lastLogin() {
            return null
          }
        })(),
        auth: null,
      },
    ],
  ])('may answer with %s', async (_, answer) => {
    const { outcome, status, reached } = await ask(() => answer)
    const identity = (await outcome).identity
    expect(CheckedIdentity.holds(identity)).toBe(true)
    expect(Object.isFrozen(identity) && Object.isFrozen(identity?.user)).toBe(true)
    expect(identity).toEqual({ user, auth: null })
    expect([status, reached]).toEqual([200, [user]])
  })

  it('is read once: what was checked is what is passed on', async () => {
    let reads = 0
    const shifting = {
      auth: null,
      get user() {
        reads += 1
        return {
          ...user,
          get isStaff() {
            return reads > 1
          },
        }
      },
    }
    const { outcome } = await ask(() => shifting, [not(isAdminUser)])
    expect(outcome.identity?.user?.isStaff).toBe(false)
    expect(reads).toBe(2) // once by the gate, once by the view
  })

  it('has no member that was added to Object.prototype', async () => {
    const added = { user: { ...user, isStaff: true }, auth: null, isStaff: true }
    Object.defineProperties(
      Object.prototype,
      Object.fromEntries(Object.entries(added).map(([name, value]) => [name, { value, configurable: true }])),
    )
    try {
      expect(await ask(() => ({}))).toMatchObject({ outcome: { identity: null }, status: 500, reached: [] })
      const { isStaff: _, ...rest } = user
      expect(await ask(() => ({ user: rest, auth: null }), [isAdminUser])).toMatchObject({
        status: 500,
        reached: [],
      })
    } finally {
      for (const name of Object.keys(added)) Reflect.deleteProperty(Object.prototype, name)
    }
  })
})

describe('a permission by itself', () => {
  const permissions = [
    isAuthenticated,
    isAdminUser,
    hasScope('a'),
    isAuthenticatedOrReadOnly,
    any(isAuthenticated, isAdminUser),
  ]
  const noIdentities: readonly unknown[] = [
    { user: undefined, auth: null },
    { user: {}, auth: null },
    { user: 'vitor', auth: null },
    { user: { ...user, isStaff: 'yes' }, auth: null },
    Promise.resolve({ user, auth: null }),
    {},
    null,
    undefined,
  ]

  it.each(permissions)('$name refuses what is no complete identity', (one) => {
    for (const identity of noIdentities) {
      expect(Reflect.apply(one.allows, one, [identity, POST])).toBe(false)
    }
  })

  it.each([
    ['a truthy value', () => 1],
    ['a promise of another realm', () => inOtherRealm('Promise.reject(new Error("no"))')],
    ['a thenable', () => thenable((_, reject) => reject(new Error('no')))],
  ])('of an app that answers %s denies by name', async (_, answer) => {
    const odd = permission('Odd', () => answer() as boolean)
    const { outcome, status, reached, errors } = await ask(() => ({ user, auth: null }), [odd])
    expect(outcome).toMatchObject({ identity: null, refusal: { status: 500 } })
    expect([status, reached]).toEqual([500, []])
    expect(String(errors[0])).toContain('Odd')
  })
})

describe('in a program that has replaced the global Promise', () => {
  afterEach(() => void vi.unstubAllGlobals())

  const replaced: ReadonlyArray<readonly [what: string, constructor: unknown]> = [
    ['by a subclass', class Zone<T> extends Promise<T> {}],
    ['by one of another realm', inOtherRealm('Promise')],
  ]

  it.each(replaced)(
    '%s a wrong credential is refused, at gates and views, hot and cold',
    async (_, replacement) => {
      vi.stubGlobal('Promise', replacement)
      const latchkey = createLatchkey({
        store: memoryStore(),
        secret: 'a secret of at least thirty-two characters',
      })
      const owner = await latchkey.users.create({ username: 'vitor' })
      const { secret } = await latchkey.tokens.getOrCreate({ user: owner })
      const reached: unknown[] = []
      const handler = latchkey.handler(
        apiView({
          get: ({ user: known }) => {
            reached.push(known?.id)
            return {}
          },
        }),
      )
      const gate = latchkey.gate([isAuthenticated])
      const requestWith = (token: string) => fakeRequest({ headers: { authorization: `Token ${token}` } })
      for (let round = 0; round < 3; round += 1) {
        expect((await handler(requestWith('0'.repeat(40)))).status).toBe(401)
        expect(await gate(requestWith('0'.repeat(40)))).toMatchObject({
          identity: null,
          refusal: { status: 401 },
        })
        expect(await gate(fakeRequest())).toMatchObject({ identity: null, refusal: { status: 401 } })
        expect(await gate(requestWith(secret.reveal()))).toMatchObject({
          identity: { user: { id: owner.id } },
        })
        expect((await handler(requestWith(secret.reveal()))).status).toBe(200)
      }
      expect(reached).toEqual([owner.id, owner.id, owner.id])
    },
  )
})

it('passes on the user object of a login itself, by which its proof is known', async () => {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
    authentication: [basicAuthentication()],
  })
  const owner = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
  const authorization = `Basic ${Buffer.from('vitor:open sesame 1').toString('base64')}`
  const { identity } = await latchkey.gate([isAuthenticated])(fakeRequest({ headers: { authorization } }))
  await latchkey.users.setPassword(owner, 'another sesame 2')
  if (identity === null) throw new Error('refused')
  await expect(latchkey.tokens.issue({ user: identity.user })).rejects.toMatchObject({
    code: 'authentication_failed',
  })
})

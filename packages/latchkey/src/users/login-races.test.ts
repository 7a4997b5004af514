import { describe, expect, it } from 'vitest'
import { tokenObtainPair, tokenObtainSliding } from '../endpoints/jwt.js'
import { knox } from '../endpoints/knox.js'
import { obtainAuthToken } from '../endpoints/obtain-auth-token.js'
import type { User } from '../identity.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import type { LatchkeyOptions } from '../latchkey-options.js'
import type { PasswordHasher } from '../passwords/hasher.js'
import { memoryStore } from '../stores/memory.js'
import type { UserRecord, UserSource } from '../stores/store.js'
import { type FakeRequestOptions, fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import type { View } from '../views/view.js'
import { copyLoginBasis } from './login-basis.js'

const OLD = 'the old password'
const NEW = 'the new password'
const CREDENTIALS = { username: 'vitor', password: OLD, address: '192.0.2.1' }

/** A format whose verification waits for `during`: a login that is in the hash queue. */
function slowHasher(algorithm: string, during: () => Promise<void>): PasswordHasher {
  return {
    algorithm,
    recognises: (encoded) => encoded.startsWith(`${algorithm}$`),
    hash: async (password) => `${algorithm}$${password}`,
    async verify(password, encoded) {
      const isRight = encoded === `${algorithm}$${password}`
      await during()
      return isRight
    },
    isWeaker: () => false,
    decoy: () => `${algorithm}$\u0000`,
  }
}

async function start(users?: UserSource, options: Partial<LatchkeyOptions> = {}) {
  let during: () => Promise<void> = async () => undefined
  const once = async () => {
    const work = during
    during = async () => undefined
    await work()
  }
  const memory = memoryStore({ externalUsers: users !== undefined })
  const access = { ...memory.access }
  const store = { ...memory, access }
  const latchkey = createLatchkey({
    store,
    ...(users && { users }),
    ...options,
    secret: 'a secret of at least thirty-two characters',
    clock: fixedClock(),
    jwt: {
      signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
    },
    passwords: {
      preferred: slowHasher('new', once),
      hashers: [slowHasher('old', once)],
      validators: [],
      concurrency: 8,
    },
  })
  const whileVerifying = (work: () => Promise<unknown>) => {
    during = async () => void (await work())
  }
  return { latchkey, store, whileVerifying }
}

async function withUser(options: Partial<LatchkeyOptions> = {}) {
  const started = await start(undefined, options)
  const { latchkey, store } = started
  const user = await latchkey.users.create({ username: 'vitor', password: OLD })
  const imported = { passwordHash: `old$${OLD}`, expectedHash: `new$${OLD}` }
  await store.users.recordLogin?.(user.id, imported)
  return { ...started, user }
}

const NARROWING: Readonly<Record<string, (latchkey: Latchkey, user: User) => Promise<unknown>>> = {
  'a new password': ({ users }, user) => users.setPassword(user, NEW),
  'no password': ({ users }, user) => users.setPassword(user, null),
  deactivation: ({ users }, user) => users.deactivate(user),
  'deactivation and back': ({ users }, user) => users.deactivate(user).then(() => users.activate(user)),
  deletion: ({ users }, user) => users.delete(user),
  'loss of a role': ({ users }, user) => users.update(user, { isStaff: false }),
  'another name': ({ users }, user) => users.update(user, { username: 'renamed' }),
  'revocation of all tokens': ({ tokens }, user) => tokens.revokeAll({ user }),
  'revocation of one policy': ({ tokens }) => tokens.revokeAll({ policy: 'authtoken' }),
  'logout everywhere': async ({ jwts }, user) => jwts?.revokeUser(user),
  'a change that an app tells of': (latchkey, user) => latchkey.userChanged(String(user.id)),
}

const CREATING: Readonly<Record<string, (latchkey: Latchkey, user: User) => Promise<unknown>>> = {
  'tokens.issue': ({ tokens }, user) => tokens.issue({ user }),
  'tokens.getOrCreate': ({ tokens }, user) => tokens.getOrCreate({ user }),
  'sessions.start': ({ sessions }, user) => sessions.start(user),
  'jwts.issuePair': async ({ jwts }, user) => jwts?.issuePair(user),
  'jwts.issueSliding': async ({ jwts }, user) => jwts?.issueSliding(user),
}

describe('a login under way', () => {
  for (const [what, narrow] of Object.entries(NARROWING)) {
    it(`is refused after ${what} while its password is verified`, async () => {
      const { latchkey, whileVerifying, user } = await withUser()
      whileVerifying(() => narrow(latchkey, user))
      expect(await latchkey.login.login(CREDENTIALS)).toBeNull()
    })

    for (const [creation, create] of Object.entries(CREATING)) {
      it(`creates nothing by ${creation} after ${what}, and does before it`, async () => {
        const { latchkey, user } = await withUser()
        const loggedIn = await latchkey.login.login(CREDENTIALS)
        if (loggedIn === null) throw new Error('the login failed')
        const copy = { ...loggedIn }
        copyLoginBasis(loggedIn, copy)
        await narrow(latchkey, user)
        for (const one of [loggedIn, copy]) {
          await expect(create(latchkey, one)).rejects.toMatchObject({
            code:
              creation === 'sessions.start' && what === 'deletion' ? 'not_found' : 'authentication_failed',
          })
        }
        expect(await latchkey.tokens.list()).toEqual([])
        expect(await latchkey.jwts?.list()).toEqual([])

        const another = await withUser()
        const again = await another.latchkey.login.login(CREDENTIALS)
        if (again === null) throw new Error('the login failed')
        await expect(create(another.latchkey, again)).resolves.toBeDefined()
      })
    }
  }

  it('does not write the upgraded hash of the old password over a new one', async () => {
    const { latchkey, store, whileVerifying, user } = await withUser()
    whileVerifying(() => latchkey.users.setPassword(user, NEW))
    expect(await latchkey.login.login(CREDENTIALS)).toBeNull()
    expect((await store.users.findById(user.id))?.passwordHash).toBe(`new$${NEW}`)
    expect(await latchkey.login.login(CREDENTIALS)).toBeNull()
    expect(await latchkey.login.login({ ...CREDENTIALS, password: NEW })).not.toBeNull()
  })

  it('goes on beside another login that upgrades the hash', async () => {
    const { latchkey, store, whileVerifying, user } = await withUser()
    whileVerifying(() => latchkey.login.login(CREDENTIALS))
    expect(await latchkey.login.login(CREDENTIALS)).not.toBeNull()
    expect((await store.users.findById(user.id))?.passwordHash).toBe(`new$${OLD}`)
  })

  it('is not disturbed by another user, or by one token that ends', async () => {
    const { latchkey, whileVerifying, user } = await withUser()
    const other = await latchkey.users.create({ username: 'other' })
    const { token } = await latchkey.tokens.issue({ user })
    whileVerifying(async () => {
      await latchkey.users.setPassword(other, NEW)
      await latchkey.tokens.revoke(token)
    })
    expect(await latchkey.login.login(CREDENTIALS)).not.toBeNull()
  })

  it('binds nothing of another Latchkey, nor calls with an id', async () => {
    const { latchkey, user } = await withUser()
    const loggedIn = await latchkey.login.login(CREDENTIALS)
    if (loggedIn === null) throw new Error('the login failed')
    const other = await withUser()
    await other.latchkey.users.setPassword(other.user, NEW)
    await expect(other.latchkey.tokens.issue({ user: loggedIn })).resolves.toBeDefined()
    await latchkey.users.setPassword(user, NEW)
    await expect(latchkey.tokens.issue({ user: loggedIn.id })).resolves.toBeDefined()
  })
})

describe('a login of an app with its own users', () => {
  const record: UserRecord = {
    id: 'u1',
    username: 'vitor',
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
    passwordHash: `old$${OLD}`,
    passwordVersion: 0,
  }
  async function withSource() {
    let row: UserRecord | null = record
    const source: UserSource = {
      findById: async () => row,
      findByUsername: async () => row,
      recordLogin: async (_, { passwordHash, expectedHash }) => {
        if (row !== null && passwordHash !== undefined && row.passwordHash === expectedHash)
          row = { ...row, passwordHash }
      },
    }
    const change = async (changes: Partial<UserRecord> | null) => {
      row = changes && { ...record, ...changes }
    }
    return { ...(await start(source)), change, passwordHash: () => row?.passwordHash }
  }

  const CHANGES: Readonly<Record<string, Partial<UserRecord> | null>> = {
    'a new hash': { passwordHash: `new$${NEW}` },
    'a new hash in the old format': { passwordHash: `old$${NEW}` },
    'a new version': { passwordVersion: 1 },
    blocked: { isActive: false },
    gone: null,
  }
  for (const [what, changes] of Object.entries(CHANGES)) {
    it(`is refused when the row changed meanwhile: ${what}`, async () => {
      const { latchkey, whileVerifying, change, passwordHash } = await withSource()
      whileVerifying(() => change(changes))
      expect(await latchkey.login.login(CREDENTIALS)).toBeNull()
      expect(passwordHash()).toBe(changes === null ? undefined : { ...record, ...changes }.passwordHash)
    })
  }

  it('goes on when the same password was only hashed anew', async () => {
    const { latchkey, whileVerifying, change } = await withSource()
    whileVerifying(() => change({ passwordHash: `new$${OLD}` }))
    expect(await latchkey.login.login(CREDENTIALS)).not.toBeNull()
  })

  it('creates nothing once the app has told of a change', async () => {
    for (const [creation, create] of Object.entries(CREATING)) {
      const { latchkey } = await withSource()
      const user = await latchkey.login.login(CREDENTIALS)
      if (user === null) throw new Error('the login failed')
      await latchkey.userChanged('u1')
      await expect(create(latchkey, user), creation).rejects.toMatchObject({ code: 'authentication_failed' })
    }
  })
})

describe('login endpoints', () => {
  const body = JSON.stringify({ username: 'vitor', password: OLD })
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from(body) }
  const basic = `Basic ${Buffer.from(`vitor:${OLD}`).toString('base64')}`
  const parts = knox()
  const ENDPOINTS: ReadonlyArray<readonly [View, FakeRequestOptions, status: number]> = [
    [obtainAuthToken(), json, 400],
    [tokenObtainPair(), json, 401],
    [tokenObtainSliding(), json, 401],
    [parts.login, { method: 'POST', headers: { authorization: basic } }, 401],
  ]
  for (const [view, request, status] of ENDPOINTS) {
    it(`answer as to a wrong password when it was changed right after it matched: ${view.policy.name}`, async () => {
      const started = await withUser({ policies: [parts.policy] })
      const { latchkey, store, user } = started
      const version = store.access.version
      let readings = 0
      // The last reading of a login; the change comes right behind it.
      store.access.version = async (id) => {
        readings += 1
        const read = await version(id)
        if (readings === 2) await latchkey.users.setPassword(user, NEW)
        return read
      }
      const answer = await latchkey.handler(view)(fakeRequest(request))
      expect(answer.status).toBe(status)
      const wrong = await latchkey.handler(view)(fakeRequest(request))
      expect([answer.status, answer.body]).toEqual([wrong.status, wrong.body])
      expect(await latchkey.tokens.list()).toEqual([])
      expect((await latchkey.jwts?.list())?.filter(({ endedAt }) => endedAt === null)).toEqual([])
    })
  }
})

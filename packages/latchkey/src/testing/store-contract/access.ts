/** The store contract: access versions, and what is created on the basis of one. */
import assert from 'node:assert/strict'
import type { UserId } from '../../identity.js'
import type { AccessBasis, Store } from '../../stores/store.js'
import { at, digestOf, insertUser, newSession, newToken, type Promised, same } from './support.js'

/** What narrows the access of a user, by name. */
const NARROWING: Readonly<Record<string, (store: Store, userId: UserId) => Promise<unknown>>> = {
  'users.update': (store, id) => store.users.update(id, { isActive: false }),
  'users.update of a password': (store, id) => store.users.update(id, { passwordHash: 'new' }),
  'users.update of a role': (store, id) => store.users.update(id, { isStaff: false }),
  'users.delete': (store, id) => store.users.delete(id),
  'jwts.revokeUser': (store, id) => store.jwts.revokeUser(id, at(1)),
  'tokens.deleteMany of the user': (store, id) => store.tokens.deleteMany({ userId: id }),
  'tokens.deleteMany of several ids': (store, id) => store.tokens.deleteMany({ userId: [id, String(id)] }),
  'tokens.deleteMany of a policy': (store) => store.tokens.deleteMany({ policy: 'knox' }),
  'access.narrow': (store, id) => store.access.narrow(id),
  'access.narrow of the other spelling': (store, id) => store.access.narrow(String(id)),
}

/** What is created on a basis: what it answers, and how to see whether it is there. */
const CREATING: Readonly<
  Record<
    string,
    {
      readonly create: (store: Store, userId: UserId, basis: AccessBasis) => Promise<unknown>
      readonly done: unknown
      readonly stale: unknown
      readonly isThere: (store: Store) => Promise<boolean>
    }
  >
> = {
  'tokens.insertOrGet': {
    create: async (store, id, basis) => (await store.tokens.insertOrGet(newToken(id, 1), basis)).kind,
    done: 'created',
    stale: 'stale',
    isThere: async (store) => (await store.tokens.findByDigest(digestOf(1))) !== null,
  },
  'tokens.insertOrGet of one per user': {
    create: async (store, id, basis) =>
      (await store.tokens.insertOrGet(newToken(id, 1, { onePerUser: true }), basis)).kind,
    done: 'created',
    stale: 'stale',
    isThere: async (store) => (await store.tokens.findByDigest(digestOf(1))) !== null,
  },
  'sessions.insert': {
    create: (store, id, basis) => store.sessions.insert(newSession(id, 1), basis),
    done: true,
    stale: false,
    isThere: async (store) => (await store.sessions.findByDigest(digestOf(1))) !== null,
  },
  'jwts.insert': {
    create: (store, id, basis) => store.jwts.insert([jwt('a', id)], basis),
    done: true,
    stale: false,
    isThere: async (store) => (await store.jwts.find('a')) !== null,
  },
  'jwts.rotate': {
    create: async (store, id, basis) => (await store.jwts.rotate(rotation(id), basis)).kind,
    done: 'rotated',
    stale: 'stale',
    isThere: async (store) => (await store.jwts.find('b')) !== null,
  },
}

const isLiveJwt = async (store: Store) =>
  (await Promise.all(['a', 'b'].map((jti) => store.jwts.find(jti)))).some((found) => found?.endedAt === null)

/** A change that ends everything of one kind that a user has, and whether something of it is still good. */
const END_ALL: Readonly<
  Record<
    string,
    {
      readonly narrow: (store: Store, userId: UserId) => Promise<unknown>
      readonly isLive: (store: Store) => Promise<boolean>
    }
  >
> = {
  tokens: {
    narrow: (store, id) => store.tokens.deleteMany({ userId: id }),
    isLive: async (store) => (await store.tokens.findByDigest(digestOf(1))) !== null,
  },
  sessions: {
    narrow: (store, id) => store.users.delete(id),
    isLive: async (store) => (await store.sessions.findByDigest(digestOf(1))) !== null,
  },
  jwts: { narrow: (store, id) => store.jwts.revokeUser(id, at(9000)), isLive: isLiveJwt },
}

const jwt = (jti: string, userId: UserId) => ({
  jti,
  family: jti,
  userId,
  issuedAt: at(5000),
  expiresAt: at(100_000),
})
const rotation = (userId: UserId) => ({
  presented: jwt('a', userId),
  successor: { jti: 'b', userId, issuedAt: at(5000), expiresAt: at(100_000) },
  now: at(5000),
  graceSeconds: 10,
})

export function accessContract(promised: Promised): void {
  promised(
    'a version is 0 at first, grows with what narrows access, and with nothing else',
    async (store) => {
      const user = await insertUser(store)
      same(await store.access.version(user.id), 0)
      same(await store.access.version('somebody else'), 0)
      await store.tokens.insertOrGet(newToken(user.id, 1))
      await store.sessions.insert(newSession(user.id, 2))
      await store.jwts.insert([jwt('a', user.id)])
      await store.users.recordLogin?.(user.id, { lastLogin: at(1) })
      await store.tokens.deleteMany({ userId: user.id, hint: 'none' })
      await store.sessions.delete(digestOf(2))
      same(await store.access.version(user.id), 0)
      await store.access.narrow(user.id)
      assert.ok((await store.access.version(user.id)) > 0)
      same(await store.access.version(String(user.id)), await store.access.version(user.id))
      same(await store.access.version('somebody else'), 0)
    },
  )

  for (const [what, narrow] of Object.entries(NARROWING)) {
    promised(`${what} makes the version another one`, async (store) => {
      const user = await insertUser(store)
      const before = await store.access.version(user.id)
      await narrow(store, user.id)
      const after = await store.access.version(user.id)
      assert.ok(after > before, `${after} is not above ${before}`)
    })
  }

  promised('narrow publishes the user', async (store) => {
    const published: unknown[] = []
    store.changes.subscribe((change) => published.push(change))
    await store.access.narrow('text')
    same(published, [{ kind: 'user', userId: 'text' }])
  })

  for (const [what, { create, done, stale, isThere }] of Object.entries(CREATING)) {
    promised(`${what} creates on a basis that holds, and nothing on another one`, async (store) => {
      const user = await insertUser(store)
      const basis = { userId: user.id, version: await store.access.version(user.id) }
      await store.access.narrow(user.id)
      same(await create(store, user.id, basis), stale)
      same(await isThere(store), false)
      same(await create(store, user.id, { ...basis, version: await store.access.version(user.id) }), done)
      same(await isThere(store), true)
    })

    promised(`${what} beside a change that narrows is before it, or does not happen`, async (store) => {
      const { narrow, isLive } = END_ALL[what.split('.')[0] ?? ''] ?? { narrow: null, isLive: null }
      assert.ok(narrow && isLive)
      for (let round = 0; round < 5; round += 1) {
        const user = await insertUser(store, `user ${round}`)
        const basis = { userId: user.id, version: await store.access.version(user.id) }
        await Promise.all([create(store, user.id, basis), narrow(store, user.id)])
        // Where it was before, the change has ended it.
        same(await isLive(store), false)
        await store.users.delete(user.id)
      }
    })
  }

  promised('an existing token is not shown on a basis that does not hold', async (store) => {
    const user = await insertUser(store)
    const token = newToken(user.id, 1, { onePerUser: true })
    await store.tokens.insertOrGet(token)
    const version = await store.access.version(user.id)
    same((await store.tokens.insertOrGet(token, { userId: user.id, version })).kind, 'existing')
    await store.access.narrow(user.id)
    same(await store.tokens.insertOrGet(token, { userId: user.id, version }), { kind: 'stale' })
  })
}

/** The store contract: what holds for all methods, and closing. */
import assert from 'node:assert/strict'
import type { Store } from '../../stores/store.js'
import {
  at,
  digestOf,
  insertToken,
  insertUser,
  NOW_MS,
  newKey,
  newSession,
  newToken,
  newUser,
  type Promised,
  same,
  unavailable,
} from './support.js'

/** One harmless call of every method that reads or writes. */
const EVERY_METHOD: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  'users.findById': (store) => store.users.findById(1),
  'users.findByUsername': (store) => store.users.findByUsername('nobody'),
  'users.insert': (store) => store.users.insert(newUser('nobody')),
  'users.update': (store) => store.users.update(1, { email: '' }),
  'users.delete': (store) => store.users.delete(1),
  'users.samplePasswordHashes': (store) => store.users.samplePasswordHashes(),
  'users.list': (store) => store.users.list(),
  'tokens.findByDigest': (store) => store.tokens.findByDigest(digestOf(1)),
  'tokens.findById': (store) => store.tokens.findById(1),
  'tokens.insertOrGet': (store) => store.tokens.insertOrGet(newToken(1, 1)),
  'tokens.renew': (store) => store.tokens.renew(1, at(0), at(1)),
  'tokens.delete': (store) => store.tokens.delete(1),
  'tokens.deleteMany': (store) => store.tokens.deleteMany({}),
  'tokens.deleteExpired': (store) => store.tokens.deleteExpired(at(0), { id: 1 }),
  'tokens.list': (store) => store.tokens.list({}),
  'tokens.reseal': (store) => store.tokens.reseal(1, digestOf(1), digestOf(2)),
  'sessions.insert': (store) => store.sessions.insert(newSession(1, 1)),
  'sessions.findByDigest': (store) => store.sessions.findByDigest(digestOf(1)),
  'sessions.delete': (store) => store.sessions.delete(digestOf(1)),
  'sessions.deleteExpired': (store) => store.sessions.deleteExpired(at(0)),
  'loginAddresses.note': (store) =>
    store.loginAddresses.note({ digest: digestOf(1), userId: 1, expiresAt: at(0) }, 10),
  'loginAddresses.isKnown': (store) => store.loginAddresses.isKnown([digestOf(1)], at(0)),
  'loginAddresses.deleteExpired': (store) => store.loginAddresses.deleteExpired(at(0)),
  'jwts.insert': (store) => store.jwts.insert([]),
  'jwts.find': (store) => store.jwts.find('x'),
  'jwts.familyStart': (store) => store.jwts.familyStart('x'),
  'jwts.state': (store) => store.jwts.state('x', 1),
  'jwts.revokeUser': (store) => store.jwts.revokeUser(1, at(0)),
  'jwts.deleteExpired': (store) => store.jwts.deleteExpired(at(0)),
  'keys.insert': (store) => store.keys.insert(newKey('k'), null),
  'keys.list': (store) => store.keys.list(),
  'keys.retire': (store) => store.keys.retire('k', at(0)),
  'keys.reseal': (store) => store.keys.reseal('k', digestOf(1), digestOf(2)),
  'keys.deleteRetired': (store) => store.keys.deleteRetired(at(0)),
  'sealingKeys.list': (store) => store.sealingKeys.list(),
  'sealingKeys.admit': (store) => store.sealingKeys.admit('0a0b0c0d', []),
  'sealingKeys.retain': (store) => store.sealingKeys.retain([]),
  'counters.hit': (store) => store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, NOW_MS),
  'counters.peek': (store) => store.counters.peek('key', { maxCount: 1, periodSeconds: 1 }, NOW_MS),
  'counters.merge': (store) => store.counters.merge([], NOW_MS),
  'counters.undo': (store) => store.counters.undo('key', NOW_MS),
  'counters.clear': (store) => store.counters.clear('key'),
  'access.version': (store) => store.access.version(1),
  'access.narrow': (store) => store.access.narrow(1),
}

export function wholeContract(promised: Promised): void {
  promised('closes twice without complaint', async (store) => {
    await store.close()
    await store.close()
  })

  for (const [name, call] of Object.entries(EVERY_METHOD)) {
    promised(`${name} rejects with store_unavailable once closed, and never throws`, async (store) => {
      await store.close()
      await assert.rejects(call(store), unavailable)
    })
  }

  promised('keeps nothing of the records it is given', async (store) => {
    const dateJoined = at(0)
    const user = await store.users.insert(newUser('vitor', { dateJoined }))
    assert.ok(user)
    const token = newToken(user.id, 1, { sealed: digestOf(2), expiresAt: at(5) })
    const { id } = await insertToken(store, token)
    const session = newSession(user.id, 3)
    await store.sessions.insert(session)
    for (const bytes of [token.digest, token.sealed ?? new Uint8Array(), session.digest]) bytes.fill(0)
    for (const date of [dateJoined, token.expiresAt ?? at(0), session.expiresAt]) date.setTime(0)
    same((await store.users.findById(user.id))?.dateJoined, at(0))
    const stored = await store.tokens.findById(id)
    same([stored?.digest, stored?.sealed, stored?.expiresAt], [digestOf(1), digestOf(2), at(5)])
    same((await store.sessions.findByDigest(digestOf(3)))?.session.expiresAt, at(1000))
  })

  promised('returns fresh objects: to change one changes nothing in the store', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { sealed: digestOf(2) }))
    user.dateJoined.setTime(0)
    token.digest.fill(0)
    token.sealed?.fill(0)
    const found = await store.tokens.findByDigest(digestOf(1))
    same([found?.user?.dateJoined, found?.token.digest], [at(0), digestOf(1)])
    found?.token.digest.fill(0)
    same((await store.tokens.findById(token.id))?.sealed, digestOf(2))
    found?.user?.dateJoined.setTime(0)
    same((await store.users.findById(user.id))?.dateJoined, at(0))
  })

  promised('keeps dates to the millisecond, from before 1970 to far ahead', async (store) => {
    const dates = [at(0), at(1), new Date(-1), new Date(0), new Date(Date.UTC(2999, 11, 31, 23, 59, 59, 999))]
    for (const [index, date] of dates.entries()) {
      const user = await store.users.insert(newUser(`user${index}`, { dateJoined: date, lastLogin: date }))
      assert.ok(user)
      const token = newToken(user.id, index, { createdAt: date, expiresAt: date })
      const { id } = await insertToken(store, token)
      const found = await store.tokens.findById(id)
      same([user.dateJoined, user.lastLogin, found?.createdAt, found?.expiresAt], [date, date, date, date])
    }
  })

  promised('refuses an invalid date, instead of taking it for "never"', async (store) => {
    const user = await insertUser(store)
    const expiresAt = new Date(Number.NaN)
    await assert.rejects(store.tokens.insertOrGet(newToken(user.id, 1, { expiresAt })))
    same(await store.tokens.list({}), [])
    const { id } = await insertToken(store, newToken(user.id, 2, { expiresAt: at(1) }))
    await assert.rejects(store.tokens.renew(id, at(1), expiresAt))
    same((await store.tokens.findById(id))?.expiresAt, at(1))
  })

  promised('keeps any text as it is', async (store) => {
    const texts = ['ünï', '用户', '🔑', 'e\u0301', '\u00e9', "'; DROP TABLE users; --", 'a\u0000b', ' %_\\"']
    for (const [index, text] of texts.entries()) {
      const user = await store.users.insert(newUser(text, { email: text, passwordHash: text }))
      same([user?.username, user?.email, user?.passwordHash], [text, text, text])
      const token = await insertToken(
        store,
        newToken(user?.id ?? 0, index, { name: text, hint: text, policy: text }),
      )
      same(await store.tokens.findById(token.id), token)
      same([token.name, token.hint, token.policy], [text, text, text])
    }
    for (const text of texts) same((await store.users.findByUsername(text))?.username, text)
  })
}

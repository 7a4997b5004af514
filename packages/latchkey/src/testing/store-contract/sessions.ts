/** The store contract: sessions. */
import assert from 'node:assert/strict'
import { at, digestOf, insertUser, newSession, type Promised, same, unavailable } from './support.js'

export function sessionsContract(promised: Promised): void {
  promised('a session is found by its digest, with its user', async (store) => {
    const user = await insertUser(store)
    const session = newSession(user.id, 1, { passwordVersion: 7, createdAt: at(-5), expiresAt: at(5) })
    await store.sessions.insert(session)
    await store.sessions.insert(newSession(user.id, 2))
    same(await store.sessions.findByDigest(digestOf(1)), { session, user })
  })

  promised('an unknown session is null, false or 0', async (store) => {
    same(await store.sessions.findByDigest(digestOf(1)), null)
    same(await store.sessions.delete(digestOf(1)), false)
    same(await store.sessions.deleteExpired(at(0)), 0)
  })

  promised('a session needs a user that exists and a digest of its own', async (store) => {
    await assert.rejects(store.sessions.insert(newSession(1, 1)), unavailable)
    const user = await insertUser(store)
    const session = newSession(user.id, 1)
    await store.sessions.insert(session)
    await assert.rejects(store.sessions.insert(newSession(user.id, 1, { expiresAt: at(9999) })), unavailable)
    same((await store.sessions.findByDigest(digestOf(1)))?.session, session)
  })

  promised('renew moves the end of a session that is there and ends when the caller says', async (store) => {
    const user = await insertUser(store)
    const session = newSession(user.id, 1, { expiresAt: at(5) })
    await store.sessions.insert(session)
    await store.sessions.insert(newSession(user.id, 2, { expiresAt: at(5) }))
    same(await store.sessions.renew(digestOf(1), at(5), at(9)), true)
    same((await store.sessions.findByDigest(digestOf(1)))?.session, { ...session, expiresAt: at(9) })
    same((await store.sessions.findByDigest(digestOf(2)))?.session.expiresAt, at(5))
    same(await store.sessions.renew(digestOf(1), at(5), at(12)), false)
    same(await store.sessions.renew(digestOf(3), at(5), at(12)), false)
    const results = await Promise.all(
      [10, 11, 12].map((end) => store.sessions.renew(digestOf(1), at(9), at(end))),
    )
    same(results.filter(Boolean).length, 1)
    await store.sessions.delete(digestOf(2))
    same(await store.sessions.renew(digestOf(2), at(5), at(9)), false)
    same(await store.sessions.findByDigest(digestOf(2)), null)
  })

  promised('delete ends exactly one', async (store) => {
    const user = await insertUser(store)
    await store.sessions.insert(newSession(user.id, 1))
    await store.sessions.insert(newSession(user.id, 2))
    same(await store.sessions.delete(digestOf(1)), true)
    same(await store.sessions.delete(digestOf(1)), false)
    same(await store.sessions.findByDigest(digestOf(1)), null)
    assert.ok(await store.sessions.findByDigest(digestOf(2)))
  })

  promised(
    'deleteExpired takes those that ended before the given time, by no clock of its own',
    async (store) => {
      const user = await insertUser(store)
      const past = new Date(1000)
      await store.sessions.insert(newSession(user.id, 1, { expiresAt: new Date(998) }))
      await store.sessions.insert(newSession(user.id, 2, { expiresAt: new Date(999) }))
      await store.sessions.insert(newSession(user.id, 3, { expiresAt: new Date(1001) }))
      assert.ok(
        await store.sessions.findByDigest(digestOf(1)),
        'an ended session is found until it is deleted',
      )
      same(await store.sessions.deleteExpired(past), 2)
      same(await store.sessions.deleteExpired(past), 0)
      same(await store.sessions.findByDigest(digestOf(2)), null)
      assert.ok(await store.sessions.findByDigest(digestOf(3)))
    },
  )
}

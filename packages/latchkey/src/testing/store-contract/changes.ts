/** The store contract: the change feed. */
import assert from 'node:assert/strict'
import type { Change, Store } from '../../stores/store.js'
import {
  at,
  digestOf,
  insertToken,
  insertUser,
  newToken,
  type Promised,
  same,
  unavailable,
} from './support.js'

export function changesContract(promised: Promised): void {
  promised('every deletion of a token is published with its digest', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    await insertToken(store, newToken(user.id, 2))
    await insertToken(store, newToken(user.id, 3))
    const changes = record(store)
    await store.tokens.delete(token.id)
    same(changes, [{ kind: 'token', digest: digestOf(1) }])
    await store.tokens.deleteMany({ userId: user.id })
    same(changes.slice(1).sort(byDigest), [
      { kind: 'token', digest: digestOf(2) },
      { kind: 'token', digest: digestOf(3) },
    ])
  })

  promised('every renewal of a token, and the deletion of an expired one, is published', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { expiresAt: at(1) }))
    const changes = record(store)
    await store.tokens.renew(token.id, at(1), at(2))
    same(changes, [{ kind: 'token', digest: digestOf(1) }])
    await store.tokens.deleteExpired(at(2), { id: token.id })
    same(changes.slice(1), [{ kind: 'token', digest: digestOf(1) }])
  })

  promised('every update and deletion of a user is published', async (store) => {
    const user = await insertUser(store)
    const published: readonly Change[] = [{ kind: 'user', userId: user.id }]
    for (const changes of [{ isActive: false }, { passwordHash: 'new' }, { username: 'moved' }]) {
      const heard = record(store)
      await store.users.update(user.id, changes)
      same(heard, published)
    }
    const heard = record(store)
    await store.users.delete(user.id)
    same(heard, published)
  })

  promised('what changed nothing is not published', async (store) => {
    const user = await insertUser(store)
    await insertUser(store, 'other')
    const changes = record(store)
    await store.tokens.delete(1)
    await store.tokens.deleteMany({})
    await store.tokens.renew(1, at(0), at(1))
    await store.tokens.deleteExpired(at(0), { afterId: 0, limit: 9 })
    await store.users.update(user.id, { username: 'other' })
    await store.users.update(999, { email: '' })
    await store.users.delete(999)
    same(changes, [])
  })

  promised('listeners hear a change after it can be read and before the call resolves', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const events: string[] = []
    let read: Promise<unknown> = Promise.resolve('nothing')
    store.changes.subscribe(() => {
      events.push('heard')
      read = store.tokens.findById(token.id)
    })
    await store.tokens.delete(token.id).then(() => events.push('resolved'))
    same(events, ['heard', 'resolved'])
    same(await read, null)
  })

  promised('all listeners hear all changes; one that stopped hears none', async (store) => {
    const user = await insertUser(store)
    const heard: string[] = []
    const stop = store.changes.subscribe(() => heard.push('first'))
    store.changes.subscribe(() => heard.push('second'))
    await store.users.update(user.id, { lastLogin: at(1) })
    stop()
    stop()
    await store.users.update(user.id, { lastLogin: at(2) })
    same(heard.sort(), ['first', 'second', 'second'])
  })

  promised(
    'catchUp says nothing when nobody else changed anything, as often as it is called',
    async (store) => {
      const user = await insertUser(store)
      await insertToken(store, newToken(user.id, 1))
      const changes = record(store)
      for (let round = 0; round < 100; round += 1) store.changes.catchUp()
      same(changes, [])
    },
  )

  promised('catchUp throws store_unavailable when it cannot look', async (store) => {
    await store.close()
    assert.throws(() => store.changes.catchUp(), unavailable)
  })
}

function record(store: Store): Change[] {
  const changes: Change[] = []
  store.changes.subscribe((change) => changes.push(change))
  return changes
}

function byDigest(a: Change, b: Change): number {
  return a.kind === 'token' && b.kind === 'token' ? (a.digest[3] ?? 0) - (b.digest[3] ?? 0) : 0
}

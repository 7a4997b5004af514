/** The store contract: tokens that change, are rotated and are used. */
import assert from 'node:assert/strict'
import type { Change, Store, TokenRotation } from '../../stores/store.js'
import {
  at,
  digestOf,
  foundToken,
  insertToken,
  insertUser,
  newToken,
  type Promised,
  same,
} from './support.js'

export function tokenRotationContract(promised: Promised): void {
  promised('update changes the named fields, and publishes it', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { name: 'CI', scopes: ['a'] }))
    const other = await insertToken(store, newToken(user.id, 2))
    const changes = record(store)
    same(await store.tokens.update(token.id, { scopes: ['b', 'c'], allowedAddresses: ['::1'] }), true)
    same(await store.tokens.update(token.id, { name: 'CD', expiresAt: at(5) }), true)
    const expected = { scopes: ['b', 'c'], allowedAddresses: ['::1'], name: 'CD', expiresAt: at(5) }
    same(await store.tokens.findById(token.id), { ...token, ...expected })
    same(changes, [secret(1), secret(1)])
    const open = { scopes: null, allowedAddresses: null, expiresAt: null }
    same(await store.tokens.update(token.id, open), true)
    same(await store.tokens.findById(token.id), { ...token, name: 'CD', ...open })
    same(await store.tokens.findById(other.id), other)
    same(await store.tokens.update(999, { name: 'nobody' }), false)
    same(await store.tokens.update(token.id, {}), true)
  })

  promised('rotate replaces the secret; both find the token, and the id stays', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { name: 'CI' }))
    const changes = record(store)
    const rotated = await store.tokens.rotate(token.id, rotation(1, 2, at(100)))
    const previous = { digest: digestOf(1), hint: token.hint, endsAt: at(100) }
    same(rotated, { ...token, digest: digestOf(2), hint: 'hint 2', previous })
    assert.ok(rotated)
    for (const secret of [1, 2])
      same(await store.tokens.findByDigest(digestOf(secret)), { token: foundToken(rotated), user })
    same(await store.tokens.findById(token.id), rotated)
    same(changes, [secret(1)])
  })

  promised('a second rotation ends the secret before the previous one', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1))
    await store.tokens.rotate(id, rotation(1, 2, at(100)))
    const changes = record(store)
    await store.tokens.rotate(id, rotation(2, 3, at(200)))
    same(await store.tokens.findByDigest(digestOf(1)), null)
    assert.ok(await store.tokens.findByDigest(digestOf(2)))
    assert.ok(await store.tokens.findByDigest(digestOf(3)))
    same(changes, [secret(2), secret(1)])
  })

  promised(
    'rotate changes nothing when the secret is another one already, or the token gone',
    async (store) => {
      const user = await insertUser(store)
      const token = await insertToken(store, newToken(user.id, 1))
      const changes = record(store)
      same(await store.tokens.rotate(token.id, rotation(9, 2, at(0))), null)
      same(await store.tokens.rotate(999, rotation(1, 2, at(0))), null)
      same(await store.tokens.findById(token.id), token)
      same(changes, [])
    },
  )

  promised('rotate leaves the expiry as it is at that moment, unless it is given one', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1, { expiresAt: at(10) }))
    const { expiresAt: _, ...kept } = rotation(1, 2, at(1))
    await store.tokens.update(id, { expiresAt: at(5) })
    same((await store.tokens.rotate(id, kept))?.expiresAt, at(5))
    same((await store.tokens.rotate(id, { ...rotation(2, 3, at(1)), expiresAt: null }))?.expiresAt, null)
  })

  promised('uses go with their secret', async (store) => {
    const user = await insertUser(store)
    const { id: tokenId } = await insertToken(store, newToken(user.id, 1))
    const used = async (number: number) => {
      const use = { tokenId, digest: digestOf(number), count: 1, lastUsedAt: at(1), lastUsedAddress: null }
      await store.tokens.recordUses([use])
    }
    const numbers = async () => (await store.tokens.listUses([tokenId])).map(({ digest }) => digest[3]).sort()
    await used(1)
    await store.tokens.rotate(tokenId, rotation(1, 2, at(100)))
    await used(2)
    same(await numbers(), [1, 2])
    await store.tokens.rotate(tokenId, rotation(2, 3, at(100)))
    same(await numbers(), [2])
    await store.tokens.dropPrevious(tokenId, digestOf(2))
    same(await numbers(), [])
  })

  promised('of concurrent rotations of one secret one wins', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, number) => store.tokens.rotate(id, rotation(1, 100 + number, at(1)))),
    )
    same(outcomes.filter((outcome) => outcome !== null).length, 1)
  })

  promised('dropPrevious ends the previous secret and nothing else', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1))
    same(await store.tokens.dropPrevious(id, digestOf(1)), false)
    const rotated = await store.tokens.rotate(id, rotation(1, 2, at(100)))
    const changes = record(store)
    same(await store.tokens.dropPrevious(id, digestOf(2)), false)
    same(changes, [])
    same(await store.tokens.dropPrevious(id, digestOf(1)), true)
    same(await store.tokens.dropPrevious(id, digestOf(1)), false)
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.tokens.findById(id), { ...rotated, previous: null })
    assert.ok(changes.some((change) => change.kind === 'token' && change.digest[3] === 1))
  })

  promised('deleting a token publishes and ends both of its secrets', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1))
    await store.tokens.rotate(id, rotation(1, 2, at(100)))
    const changes = record(store)
    same(await store.tokens.delete(id), true)
    same(changes, [secret(2), secret(1)])
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.tokens.findByDigest(digestOf(2)), null)
  })

  promised('list and deleteMany take a hint, of the secret or of the previous one', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1, { hint: 'lk_…aaaa' }))
    const kept = await insertToken(store, newToken(user.id, 2, { hint: 'lk_…bbbb' }))
    await store.tokens.rotate(id, rotation(1, 3, at(100)))
    for (const hint of ['lk_…aaaa', 'hint 3'])
      same(
        (await store.tokens.list({ hint })).map((token) => token.id),
        [id],
      )
    same(await store.tokens.list({ hint: 'lk_…aaa' }), [])
    same(await store.tokens.deleteMany({ hint: 'lk_…aaaa', policy: 'other' }), 0)
    same(await store.tokens.deleteMany({ hint: 'lk_…aaaa', policy: 'knox' }), 1)
    same(await store.tokens.list({}), [kept])
  })

  promised('recordUses adds counts and keeps the latest time with its address', async (store) => {
    const user = await insertUser(store)
    const { id: tokenId } = await insertToken(store, newToken(user.id, 1))
    const use = { tokenId, digest: digestOf(1), count: 2, lastUsedAt: at(10), lastUsedAddress: '::1' }
    const later = { ...use, count: 3, lastUsedAt: at(20), lastUsedAddress: null }
    const changes = record(store)
    await store.tokens.recordUses([use, { ...use, digest: digestOf(2), count: 1 }])
    await store.tokens.recordUses([later])
    await store.tokens.recordUses([{ ...use, count: 1, lastUsedAt: at(5) }])
    const uses = await store.tokens.listUses([tokenId])
    same(
      uses.find(({ digest }) => digest[3] === 1),
      { ...later, count: 6 },
    )
    same(
      uses.find(({ digest }) => digest[3] === 2),
      { ...use, digest: digestOf(2), count: 1 },
    )
    same(uses.length, 2)
    same(changes, [])
  })

  promised('uses of tokens that are gone are left out, and go with their token', async (store) => {
    const user = await insertUser(store)
    const { id: tokenId } = await insertToken(store, newToken(user.id, 1))
    const use = { tokenId, digest: digestOf(1), count: 1, lastUsedAt: at(1), lastUsedAddress: null }
    await store.tokens.recordUses([{ ...use, tokenId: 999, digest: digestOf(9) }, use])
    same(await store.tokens.listUses([tokenId, 999]), [use])
    same(await store.tokens.listUses([]), [])
    await store.tokens.delete(tokenId)
    await store.tokens.recordUses([use])
    same(await store.tokens.listUses([tokenId]), [])
    await store.tokens.recordUses([])
  })
}

function rotation(expected: number, next: number, previousEndsAt: Date): TokenRotation {
  return {
    expected: digestOf(expected),
    digest: digestOf(next),
    hint: `hint ${next}`,
    sealed: null,
    expiresAt: null,
    previousEndsAt,
  }
}

const secret = (number: number): Change => ({ kind: 'token', digest: digestOf(number) })

function record(store: Store): readonly Change[] {
  const changes: Change[] = []
  store.changes.subscribe((change) => changes.push(change))
  return changes
}

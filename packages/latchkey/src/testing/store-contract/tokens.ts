/** The store contract: tokens. */
import assert from 'node:assert/strict'
import { at, digestOf, insertToken, insertUser, newToken, newUser, type Promised, same } from './support.js'

export function tokensContract(promised: Promised): void {
  promised(
    'insertOrGet returns the whole record, as found later by id and by digest with its user',
    async (store) => {
      const user = await insertUser(store)
      const { onePerUser, ...fields } = newToken(user.id, 1, {
        sealed: new Uint8Array([0, 255, 0]),
        name: 'CI',
        expiresAt: at(9),
      })
      const outcome = await store.tokens.insertOrGet({ ...fields, onePerUser })
      assert.ok(outcome?.created)
      same(outcome.token, { ...fields, id: outcome.token.id })
      same(await store.tokens.findById(outcome.token.id), outcome.token)
      same(await store.tokens.findByDigest(digestOf(1)), { token: outcome.token, user })
    },
  )

  promised('an unknown token is null, false or 0', async (store) => {
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.tokens.findById(1), null)
    same(await store.tokens.delete(1), false)
    same(await store.tokens.deleteMany({}), 0)
    same(await store.tokens.list({}), [])
    same(await store.tokens.reseal(1, digestOf(1), digestOf(2)), false)
  })

  promised('expired tokens and tokens of inactive users are found', async (store) => {
    const user = await store.users.insert(newUser('gone', { isActive: false }))
    const token = await insertToken(store, newToken(user?.id ?? 0, 1, { expiresAt: new Date(0) }))
    same(await store.tokens.findByDigest(digestOf(1)), { token, user })
    same(await store.tokens.list({}), [token])
  })

  promised('insertOrGet is null when the digest is taken, whoever has it', async (store) => {
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    await insertToken(store, newToken(user.id, 1))
    same(await store.tokens.insertOrGet(newToken(user.id, 1)), null)
    same(
      await store.tokens.insertOrGet(newToken(other.id, 1, { policy: 'authtoken', onePerUser: true })),
      null,
    )
    same((await store.tokens.list({})).length, 1)
  })

  promised('insertOrGet is null when the user does not exist, any more or yet', async (store) => {
    same(await store.tokens.insertOrGet(newToken(1, 1)), null)
    const user = await insertUser(store)
    await store.users.delete(user.id)
    same(await store.tokens.insertOrGet(newToken(user.id, 1, { onePerUser: true })), null)
    same(await store.tokens.list({}), [])
  })

  promised('without onePerUser a user has any number of tokens of a policy', async (store) => {
    const user = await insertUser(store)
    for (const number of [1, 2, 3]) await insertToken(store, newToken(user.id, number))
    same((await store.tokens.list({ userId: user.id, policy: 'knox' })).length, 3)
  })

  promised('onePerUser: one per user and policy; the existing one is returned unchanged', async (store) => {
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    const one = { policy: 'authtoken', onePerUser: true }
    const token = await insertToken(store, newToken(user.id, 1, one))
    const again = await store.tokens.insertOrGet(newToken(user.id, 2, { ...one, name: 'later' }))
    same(again, { token, created: false })
    same(await store.tokens.insertOrGet(newToken(user.id, 1, one)), { token, created: false })
    await insertToken(store, newToken(other.id, 3, one))
    await insertToken(store, newToken(user.id, 4, { policy: 'second', onePerUser: true }))
    await store.tokens.delete(token.id)
    await insertToken(store, newToken(user.id, 5, one))
  })

  promised('onePerUser: a token from before the policy became so is returned too', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const outcome = await store.tokens.insertOrGet(newToken(user.id, 2, { onePerUser: true }))
    same(outcome, { token, created: false })
  })

  promised('onePerUser: of 100 concurrent callers one creates and all get the same record', async (store) => {
    const user = await insertUser(store)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        store.tokens.insertOrGet(newToken(user.id, number, { policy: 'authtoken', onePerUser: true })),
      ),
    )
    same(outcomes.filter((outcome) => outcome?.created).length, 1)
    const tokens = await store.tokens.list({})
    same(tokens.length, 1)
    for (const outcome of outcomes) same(outcome?.token, tokens[0])
  })

  promised('ids grow and are never used again', async (store) => {
    const user = await insertUser(store)
    const first = await insertToken(store, newToken(user.id, 1))
    const second = await insertToken(store, newToken(user.id, 2))
    await store.tokens.deleteMany({})
    const third = await insertToken(store, newToken(user.id, 3))
    assert.ok(first.id < second.id && second.id < third.id)
  })

  promised('delete deletes exactly one', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const kept = await insertToken(store, newToken(user.id, 2))
    same(await store.tokens.delete(token.id), true)
    same(await store.tokens.delete(token.id), false)
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.tokens.list({}), [kept])
  })

  promised('of concurrent deletions of one token one says true', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1))
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.tokens.delete(id)))
    same(outcomes.filter(Boolean).length, 1)
  })

  promised('list and deleteMany take a user, a policy, both or neither', async (store) => {
    const vitor = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    const numberOf = (tokens: readonly { digest: Uint8Array }[]) => tokens.map((token) => token.digest[3])
    await insertToken(store, newToken(vitor.id, 1, { policy: 'knox' }))
    await insertToken(store, newToken(vitor.id, 2, { policy: 'personal' }))
    await insertToken(store, newToken(other.id, 3, { policy: 'knox' }))
    await insertToken(store, newToken(other.id, 4, { policy: 'knox' }))
    same(numberOf(await store.tokens.list({})), [1, 2, 3, 4])
    same(numberOf(await store.tokens.list({ userId: vitor.id })), [1, 2])
    same(numberOf(await store.tokens.list({ policy: 'knox' })), [1, 3, 4])
    same(numberOf(await store.tokens.list({ userId: other.id, policy: 'personal' })), [])
    same(await store.tokens.deleteMany({ userId: vitor.id, policy: 'knox' }), 1)
    same(await store.tokens.deleteMany({ userId: String(vitor.id) }), 0)
    same(await store.tokens.deleteMany({ policy: 'knox' }), 2)
    same(numberOf(await store.tokens.list({})), [2])
    same(await store.tokens.deleteMany({}), 1)
    same(await store.tokens.deleteMany({}), 0)
  })

  promised('list is ordered by id, starts above afterId and ends at limit', async (store) => {
    const user = await insertUser(store)
    const other = await insertUser(store, 'other')
    const ids: number[] = []
    for (let number = 0; number < 9; number += 1) {
      ids.push((await insertToken(store, newToken(user.id, 100 - number))).id)
      await insertToken(store, newToken(other.id, 200 + number))
    }
    const listed = async (page?: { afterId?: number; limit?: number }) =>
      (await store.tokens.list({ userId: user.id }, page)).map((token) => token.id)
    same(await listed(), ids)
    same(await listed({ limit: 4 }), ids.slice(0, 4))
    same(await listed({ afterId: ids[3] ?? 0, limit: 4 }), ids.slice(4, 8))
    same(await listed({ afterId: ids[7] ?? 0 }), ids.slice(8))
    same(await listed({ limit: 0 }), [])
    same((await store.tokens.list({}, { limit: 100 })).length, 18)
  })

  promised('reseal replaces the sealed secret only if it still is the expected one', async (store) => {
    const user = await insertUser(store)
    const [old, fresh] = [new Uint8Array([1, 2]), new Uint8Array([3])]
    const token = await insertToken(store, newToken(user.id, 1, { sealed: old }))
    const unsealed = await insertToken(store, newToken(user.id, 2))
    same(await store.tokens.reseal(token.id, fresh, old), false)
    same(await store.tokens.reseal(token.id, old, fresh), true)
    same(await store.tokens.reseal(token.id, old, fresh), false)
    same(await store.tokens.reseal(unsealed.id, old, fresh), false)
    same(await store.tokens.findById(token.id), { ...token, sealed: fresh })
    same(await store.tokens.findById(unsealed.id), unsealed)
  })

  promised('of concurrent reseals from one value one wins', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { sealed: digestOf(0) }))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        store.tokens.reseal(token.id, digestOf(0), digestOf(number + 1)),
      ),
    )
    same(outcomes.filter(Boolean).length, 1)
    same((await store.tokens.findById(token.id))?.sealed, digestOf(outcomes.indexOf(true) + 1))
  })
}

/** The store contract: tokens. */
import assert from 'node:assert/strict'
import {
  at,
  digestOf,
  foundToken,
  insertToken,
  insertUser,
  newToken,
  newUser,
  type Promised,
  same,
} from './support.js'

export function tokensContract(promised: Promised): void {
  promised(
    'insertOrGet returns the whole record, as found later by id and by digest with its user',
    async (store) => {
      const user = await insertUser(store)
      const { onePerUser, limitPerUser, ...fields } = newToken(user.id, 1, {
        sealed: new Uint8Array([0, 255, 0]),
        name: 'CI',
        scopes: ['orders:read', '*'],
        allowedAddresses: ['192.0.2.0/24'],
        expiresAt: at(9),
      })
      const token = await insertToken(store, { ...fields, onePerUser, limitPerUser })
      same(token, { ...fields, id: token.id, previous: null })
      same(await store.tokens.findById(token.id), token)
      same(await store.tokens.findByDigest(digestOf(1)), { token: foundToken(token), user })
    },
  )

  promised('an unknown token is null, false or 0', async (store) => {
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.tokens.findById(1), null)
    same(await store.tokens.delete(1), false)
    same(await store.tokens.deleteMany({}), 0)
    same(await store.tokens.list({}), [])
    same(await store.tokens.reseal(1, digestOf(1), digestOf(2)), false)
    same(await store.tokens.renew(1, at(0), at(1)), false)
    same(await store.tokens.deleteExpired(at(0), { id: 1 }), [])
  })

  promised('expired tokens and tokens of inactive users are found', async (store) => {
    const user = await store.users.insert(newUser('gone', { isActive: false }))
    const token = await insertToken(store, newToken(user?.id ?? 0, 1, { expiresAt: new Date(0) }))
    same(await store.tokens.findByDigest(digestOf(1)), { token: foundToken(token), user })
    same(await store.tokens.list({}), [token])
  })

  promised('insertOrGet refuses a digest that is taken, whoever has it', async (store) => {
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    await insertToken(store, newToken(user.id, 1))
    const taken = { kind: 'digest_taken' }
    same(await store.tokens.insertOrGet(newToken(user.id, 1)), taken)
    const one = newToken(other.id, 1, { policy: 'authtoken', onePerUser: true })
    same(await store.tokens.insertOrGet(one), taken)
    same((await store.tokens.list({})).length, 1)
  })

  promised('insertOrGet refuses a user who does not exist, any more or yet', async (store) => {
    same(await store.tokens.insertOrGet(newToken(1, 1)), { kind: 'no_user' })
    const user = await insertUser(store)
    await store.users.delete(user.id)
    for (const rule of [{}, { onePerUser: true }, { limitPerUser: 1 }])
      same(await store.tokens.insertOrGet(newToken(user.id, 1, rule)), { kind: 'no_user' })
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
    same(again, { kind: 'existing', token })
    same(await store.tokens.insertOrGet(newToken(user.id, 1, one)), { kind: 'existing', token })
    await insertToken(store, newToken(other.id, 3, one))
    await insertToken(store, newToken(user.id, 4, { policy: 'second', onePerUser: true }))
    await store.tokens.delete(token.id)
    await insertToken(store, newToken(user.id, 5, one))
  })

  promised('onePerUser: a token from before the policy became so is returned too', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const outcome = await store.tokens.insertOrGet(newToken(user.id, 2, { onePerUser: true }))
    same(outcome, { kind: 'existing', token })
  })

  promised('onePerUser: of 100 concurrent callers one creates and all get the same record', async (store) => {
    const user = await insertUser(store)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        store.tokens.insertOrGet(newToken(user.id, number, { policy: 'authtoken', onePerUser: true })),
      ),
    )
    same(outcomes.filter((outcome) => outcome.kind === 'created').length, 1)
    const tokens = await store.tokens.list({})
    same(tokens.length, 1)
    for (const outcome of outcomes) same('token' in outcome && outcome.token, tokens[0])
  })

  promised(
    'limitPerUser counts the live, expiring tokens of the user and policy, and no others',
    async (store) => {
      const user = await insertUser(store, 'vitor')
      const other = await insertUser(store, 'other')
      const limited = { limitPerUser: 2, expiresAt: at(1000) }
      const reached = { kind: 'limit_reached' }
      for (const number of [1, 2]) await insertToken(store, newToken(user.id, number, { expiresAt: null }))
      // Expired to the millisecond, another's, and another policy's.
      await insertToken(store, newToken(user.id, 3, { expiresAt: at(0) }))
      await insertToken(store, newToken(other.id, 4, limited))
      await insertToken(store, newToken(user.id, 5, { ...limited, policy: 'second' }))
      const { id } = await insertToken(store, newToken(user.id, 6, limited))
      await insertToken(store, newToken(user.id, 7, { ...limited, expiresAt: at(1) }))
      same(await store.tokens.insertOrGet(newToken(user.id, 8, limited)), reached)
      same(await store.tokens.insertOrGet(newToken(user.id, 9, { ...limited, expiresAt: null })), reached)
      await store.tokens.delete(id)
      await insertToken(store, newToken(user.id, 10, limited))
      same(await store.tokens.insertOrGet(newToken(user.id, 11, limited)), reached)
      await insertToken(store, newToken(user.id, 12, { ...limited, createdAt: at(1) }))
      await insertToken(store, newToken(user.id, 13, { expiresAt: at(1000) }))
    },
  )

  promised('limitPerUser 10: of 100 concurrent callers 10 create', async (store) => {
    const user = await insertUser(store)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, number) =>
        store.tokens.insertOrGet(newToken(user.id, number, { limitPerUser: 10, expiresAt: at(1000) })),
      ),
    )
    same(outcomes.filter((outcome) => outcome.kind === 'created').length, 10)
    same(outcomes.filter((outcome) => outcome.kind === 'limit_reached').length, 90)
    same((await store.tokens.list({})).length, 10)
  })

  promised('renew moves the expiry only if it still is the expected one', async (store) => {
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1, { expiresAt: at(10) }))
    const forever = await insertToken(store, newToken(user.id, 2))
    same(await store.tokens.renew(token.id, at(11), at(99)), false)
    same(await store.tokens.renew(token.id, at(10), at(20)), true)
    same(await store.tokens.renew(token.id, at(10), at(30)), false)
    same(await store.tokens.renew(forever.id, at(10), at(20)), false)
    same(await store.tokens.findById(token.id), { ...token, expiresAt: at(20) })
    same(await store.tokens.findById(forever.id), forever)
  })

  promised('of concurrent renewals from one expiry one wins', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1, { expiresAt: at(10) }))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, number) => store.tokens.renew(id, at(10), at(100 + number))),
    )
    same(outcomes.filter(Boolean).length, 1)
    same((await store.tokens.findById(id))?.expiresAt, at(100 + outcomes.indexOf(true)))
  })

  promised('renewing and deleting at the same time never fails and never revives', async (store) => {
    const user = await insertUser(store)
    for (let round = 0; round < 20; round += 1) {
      const { id } = await insertToken(store, newToken(user.id, round, { expiresAt: at(10) }))
      const renew = () => store.tokens.renew(id, at(10), at(20))
      const calls = [renew, () => store.tokens.delete(id), renew, renew]
      await Promise.all([...calls.slice(round % 4), ...calls.slice(0, round % 4)].map((call) => call()))
      same(await renew(), false)
      same(await store.tokens.findById(id), null)
    }
  })

  promised('deleteExpired deletes and returns those that have expired at that instant', async (store) => {
    const user = await insertUser(store)
    const ends = [at(-1), at(0), at(1), null]
    const tokens = []
    for (const [number, expiresAt] of ends.entries())
      tokens.push(await insertToken(store, newToken(user.id, number, { expiresAt })))
    same(await store.tokens.deleteExpired(at(0), { id: tokens[2]?.id ?? 0 }), [])
    same(await store.tokens.deleteExpired(at(0), { id: tokens[1]?.id ?? 0 }), [tokens[1]])
    same(await store.tokens.deleteExpired(at(0), { id: tokens[1]?.id ?? 0 }), [])
    same(await store.tokens.deleteExpired(at(0), { afterId: 0, limit: 9 }), [tokens[0]])
    same(await store.tokens.list({}), tokens.slice(2))
  })

  promised('deleteExpired goes by id, starts above afterId and ends at limit', async (store) => {
    const user = await insertUser(store)
    const tokens = []
    for (let number = 0; number < 9; number += 1)
      tokens.push(await insertToken(store, newToken(user.id, number, { expiresAt: at(-number) })))
    const afterId = tokens[2]?.id ?? 0
    same(await store.tokens.deleteExpired(at(0), { afterId, limit: 4 }), tokens.slice(3, 7))
    same(await store.tokens.list({}), [...tokens.slice(0, 3), ...tokens.slice(7)])
  })

  promised('of concurrent deletions of an expired token one gets it', async (store) => {
    const user = await insertUser(store)
    const { id } = await insertToken(store, newToken(user.id, 1, { expiresAt: at(0) }))
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => store.tokens.deleteExpired(at(0), { id })),
    )
    same(outcomes.flat().length, 1)
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

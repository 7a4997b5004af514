/** The store contract: addresses of successful logins. */
import assert from 'node:assert/strict'
import type { UserId } from '../../identity.js'
import { at, digestOf, insertUser, type Promised, same } from './support.js'

const address = (userId: UserId, number: number, endsMs = 1000) => ({
  digest: digestOf(number),
  userId,
  expiresAt: at(endsMs),
})

export function loginAddressesContract(promised: Promised): void {
  promised('an address is known until it expires', async (store) => {
    const { id } = await insertUser(store)
    const isKnown = (numbers: readonly number[], atMs: number) =>
      store.loginAddresses.isKnown(numbers.map(digestOf), at(atMs))
    same(await isKnown([1], 0), false)
    same(await isKnown([], 0), false)
    await store.loginAddresses.note(address(id, 1), 10)
    same([await isKnown([1], 999), await isKnown([1], 1000)], [true, false])
    same([await isKnown([2], 0), await isKnown([2, 1, 3], 0)], [false, true])
    await store.loginAddresses.note(address(id, 1, 5000), 10)
    same([await isKnown([1], 4999), await isKnown([1], 5000)], [true, false])
  })

  promised('a user has no more addresses than are kept: those that expire last', async (store) => {
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    await store.loginAddresses.note(address(other.id, 90, 1), 3)
    for (let number = 1; number <= 5; number += 1) {
      await store.loginAddresses.note(address(user.id, number, 1000 + number), 3)
    }
    // One that is known is not another one.
    await store.loginAddresses.note(address(user.id, 3, 2000), 3)
    const known = async (...numbers: readonly number[]) =>
      Promise.all(numbers.map((number) => store.loginAddresses.isKnown([digestOf(number)], at(0))))
    same(await known(1, 2, 3, 4, 5, 90), [false, false, true, true, true, true])
    await store.loginAddresses.note(address(user.id, 6, 3000), 1)
    same(await known(3, 4, 5, 6, 90), [false, false, false, true, true])
  })

  promised('an address goes with its user, and a user who does not exist has none', async (store) => {
    await store.loginAddresses.note(address(1, 1), 10)
    await store.loginAddresses.note(address('1', 2), 10)
    same(await store.loginAddresses.isKnown([digestOf(1), digestOf(2)], at(0)), false)
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    await store.loginAddresses.note(address(user.id, 3), 10)
    await store.loginAddresses.note(address(other.id, 4), 10)
    assert.ok(await store.users.delete(user.id))
    same(await store.loginAddresses.isKnown([digestOf(3)], at(0)), false)
    same(await store.loginAddresses.isKnown([digestOf(4)], at(0)), true)
  })

  promised('deleteExpired takes those that expired before the given time', async (store) => {
    const { id } = await insertUser(store)
    for (const number of [1, 2, 3]) await store.loginAddresses.note(address(id, number, number), 10)
    same(await store.loginAddresses.deleteExpired(at(3)), 2)
    same(await store.loginAddresses.deleteExpired(at(3)), 0)
    same(await store.loginAddresses.isKnown([digestOf(1), digestOf(2)], at(-9)), false)
    same(await store.loginAddresses.isKnown([digestOf(3)], at(0)), true)
  })
}

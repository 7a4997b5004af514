/** The store contract: signing keys. */
import type { Change, Store } from '../../stores/store.js'
import { at, digestOf, newKey, type Promised, same } from './support.js'

export function keysContract(promised: Promised): void {
  promised('an inserted key is listed whole, and its kid is taken from then on', async (store) => {
    const key = newKey('a', {
      algorithm: 'EdDSA',
      publicJwk: '{"x":"ünï"}',
      sealed: new Uint8Array([0, 255]),
    })
    same(await store.keys.insert(key, null), true)
    same(await store.keys.insert(newKey('a'), at(9)), false)
    same(await store.keys.list(), [key])
    const ended = newKey('b', { sealed: null, activeFrom: at(1), retiresAt: at(2) })
    same(await store.keys.insert(ended, null), true)
    same(await store.keys.list(), [key, ended])
  })

  promised('keys are listed in the order in which they become active', async (store) => {
    await store.keys.insert(newKey('c', { activeFrom: at(5) }), null)
    await store.keys.insert(newKey('b', { createdAt: at(1) }), null)
    await store.keys.insert(newKey('z'), null)
    await store.keys.insert(newKey('a', { activeFrom: at(5) }), null)
    same(await kidsOf(store), ['z', 'b', 'a', 'c'])
  })

  promised('a successor ends those before it that have no end, and no others', async (store) => {
    await store.keys.insert(newKey('ended', { retiresAt: at(50) }), null)
    await store.keys.insert(newKey('old'), null)
    await store.keys.insert(newKey('same', { activeFrom: at(10) }), null)
    await store.keys.insert(newKey('later', { activeFrom: at(11) }), null)
    await store.keys.insert(newKey('new', { activeFrom: at(10) }), at(99))
    const ends = (await store.keys.list()).map(({ kid, retiresAt }) => [kid, retiresAt])
    same(new Map(ends as [string, Date | null][]).get('later'), null)
    same(ends.sort(), [
      ['ended', at(50)],
      ['later', null],
      ['new', null],
      ['old', at(99)],
      ['same', at(99)],
    ])
  })

  promised('retire ends a key at once and removes its private half', async (store) => {
    await store.keys.insert(newKey('a'), null)
    await store.keys.insert(newKey('b', { activeFrom: at(1) }), at(1000))
    same(await store.keys.retire('a', at(2)), 'retired')
    same((await store.keys.list())[0], newKey('a', { sealed: null, retiresAt: at(2) }))
    same(await store.keys.retire('a', at(2)), 'not_found')
    same(await store.keys.retire('x', at(2)), 'not_found')
  })

  promised('retire leaves the last key that signs and has no end', async (store) => {
    await store.keys.insert(newKey('ending', { retiresAt: at(1000) }), null)
    await store.keys.insert(newKey('only'), null)
    await store.keys.insert(newKey('next', { activeFrom: at(100) }), null)
    const before = await store.keys.list()
    same(await store.keys.retire('only', at(99)), 'needed')
    same(await store.keys.list(), before)
    same(await store.keys.retire('ending', at(99)), 'retired')
    same(await store.keys.retire('only', at(100)), 'retired')
    same(await store.keys.retire('next', at(101)), 'needed')
  })

  promised('of two concurrent retirements one key stays', async (store) => {
    await store.keys.insert(newKey('a'), null)
    await store.keys.insert(newKey('b'), null)
    const outcomes = await Promise.all([store.keys.retire('a', at(1)), store.keys.retire('b', at(1))])
    same(outcomes.sort(), ['needed', 'retired'])
  })

  promised('reseal replaces what is expected, and nothing else', async (store) => {
    await store.keys.insert(newKey('a'), null)
    await store.keys.insert(newKey('b', { sealed: null }), null)
    same(await store.keys.reseal('a', digestOf(8), digestOf(9)), false)
    same(await store.keys.reseal('b', digestOf(7), digestOf(9)), false)
    same(await store.keys.reseal('x', digestOf(7), digestOf(9)), false)
    same(await store.keys.reseal('a', digestOf(7), digestOf(9)), true)
    same(await store.keys.list(), [newKey('a', { sealed: digestOf(9) }), newKey('b', { sealed: null })])
  })

  promised('deleteRetired removes what has ended, and nothing else', async (store) => {
    await store.keys.insert(newKey('ended', { retiresAt: at(1) }), null)
    await store.keys.insert(newKey('ending', { retiresAt: at(2) }), null)
    await store.keys.insert(newKey('signing'), null)
    same(await store.keys.deleteRetired(at(1)), 1)
    same(await kidsOf(store), ['ending', 'signing'])
    same(await store.keys.deleteRetired(at(1)), 0)
  })

  promised('whatever changes which keys count is published, and nothing else', async (store) => {
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    const told = async (work: Promise<unknown>, count: number) => {
      await work
      same(changes.splice(0), Array(count).fill({ kind: 'keys' }))
    }
    await told(store.keys.insert(newKey('a'), null), 1)
    await told(store.keys.insert(newKey('a'), at(1)), 0)
    await told(store.keys.retire('a', at(1)), 0)
    await told(store.keys.insert(newKey('b'), at(1000)), 1)
    await told(store.keys.reseal('a', digestOf(7), digestOf(9)), 0)
    await told(store.keys.retire('a', at(1)), 1)
    await told(store.keys.deleteRetired(at(0)), 0)
    await told(store.keys.deleteRetired(at(1)), 1)
  })

  promised('keeps nothing of a key that it is given, and returns fresh ones', async (store) => {
    const key = newKey('a', { retiresAt: at(5) })
    await store.keys.insert(key, null)
    key.sealed?.fill(0)
    for (const date of [key.createdAt, key.activeFrom, key.retiresAt]) date?.setTime(0)
    same(await store.keys.list(), [newKey('a', { retiresAt: at(5) })])
    const [listed] = await store.keys.list()
    listed?.sealed?.fill(0)
    listed?.retiresAt?.setTime(0)
    same(await store.keys.list(), [newKey('a', { retiresAt: at(5) })])
  })
}

async function kidsOf(store: Store): Promise<readonly string[]> {
  return (await store.keys.list()).map(({ kid }) => kid)
}

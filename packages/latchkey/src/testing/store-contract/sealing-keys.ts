/** The store contract: which keys seal. */
import type { Change } from '../../stores/store.js'
import { type Promised, same } from './support.js'

export function sealingKeysContract(promised: Promised): void {
  promised('the first key is admitted, whoever holds it, and stays', async (store) => {
    same(await store.sealingKeys.list(), [])
    same(await store.sealingKeys.admit('0a0b0c0d', ['0a0b0c0d']), true)
    same(await store.sealingKeys.admit('0a0b0c0d', []), true)
    same(await store.sealingKeys.list(), ['0a0b0c0d'])
  })

  promised(
    'a further key is admitted for those who hold an admitted one, and for no others',
    async (store) => {
      await store.sealingKeys.admit('bbbbbbbb', ['bbbbbbbb'])
      same(await store.sealingKeys.admit('cccccccc', ['cccccccc']), false)
      same(await store.sealingKeys.admit('cccccccc', []), false)
      same(await store.sealingKeys.list(), ['bbbbbbbb'])
      same(await store.sealingKeys.admit('aaaaaaaa', ['aaaaaaaa', 'bbbbbbbb']), true)
      same(await store.sealingKeys.list(), ['aaaaaaaa', 'bbbbbbbb'])
    },
  )

  promised('of concurrent first keys one is admitted', async (store) => {
    const ids = ['11111111', '22222222', '33333333', '44444444']
    const outcomes = await Promise.all(ids.map((id) => store.sealingKeys.admit(id, [id])))
    same(outcomes.filter((admitted) => admitted).length, 1)
    same(await store.sealingKeys.list(), [ids[outcomes.indexOf(true)]])
  })

  promised('retain removes all others; with none left, the next key is the first', async (store) => {
    const held = ['11111111', '22222222', '33333333']
    for (const id of held) await store.sealingKeys.admit(id, held)
    same(await store.sealingKeys.retain(['22222222', '99999999']), 2)
    same(await store.sealingKeys.list(), ['22222222'])
    same(await store.sealingKeys.admit('11111111', ['11111111']), false)
    same(await store.sealingKeys.retain([]), 1)
    same(await store.sealingKeys.retain([]), 0)
    same(await store.sealingKeys.admit('11111111', ['11111111']), true)
  })

  promised('whatever changes which keys seal is published, and nothing else', async (store) => {
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    const told = async (work: Promise<unknown>, count: number) => {
      await work
      same(changes.splice(0), Array(count).fill({ kind: 'keys' }))
    }
    await told(store.sealingKeys.admit('aaaaaaaa', []), 1)
    await told(store.sealingKeys.admit('aaaaaaaa', []), 0)
    await told(store.sealingKeys.admit('bbbbbbbb', []), 0)
    await told(store.sealingKeys.admit('bbbbbbbb', ['aaaaaaaa']), 1)
    await told(store.sealingKeys.list(), 0)
    await told(store.sealingKeys.retain(['aaaaaaaa', 'bbbbbbbb']), 0)
    await told(store.sealingKeys.retain(['aaaaaaaa']), 1)
  })
}

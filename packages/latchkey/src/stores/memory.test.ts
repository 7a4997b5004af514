import { describe, expect, it } from 'vitest'
import { testStore } from '../testing/index.js'
import { newToken } from '../testing/store-contract/support.js'
import { memoryStore } from './memory.js'

testStore('memoryStore()', () => memoryStore(), { describe, it })

describe('memoryStore()', () => {
  it('takes any user id when users live elsewhere', async () => {
    const store = memoryStore({ externalUsers: true })
    expect(await store.tokens.insertOrGet(newToken('3f2a-text', 1))).toMatchObject({ kind: 'created' })
    const [token] = await store.tokens.list({ userId: '3f2a-text' })
    expect(token && (await store.tokens.findByDigest(token.digest))).toMatchObject({
      token: { id: token?.id },
      user: null,
    })
  })

  it('forgets counters that nobody asks about any more', async () => {
    const store = memoryStore()
    const limit = { maxCount: 1, periodSeconds: 1 }
    for (let key = 0; key < 1000; key += 1) await store.counters.hit(`key ${key}`, limit, key)
    await store.counters.hit('much later', limit, 1_000_000)
    // Back in time there would be an event, had it not been forgotten.
    expect(await store.counters.peek('key 999', limit, 999)).toEqual({ allowed: true, waitSeconds: 0 })
  })
})

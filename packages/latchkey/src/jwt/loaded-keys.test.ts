import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Sealer } from '../sealing/sealer.js'
import { memoryStore } from '../stores/memory.js'
import type { Change, SigningKeyRecord, Store } from '../stores/store.js'
import { publicJwk } from './jwks.js'
import { LoadedKeys } from './loaded-keys.js'
import { signingKey } from './signing-key.js'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function record(kid: string): SigningKeyRecord {
  const jwk = publicJwk(signingKey({ algorithm: 'ES256', key: privateKey, kid }))
  const start = new Date(0)
  const times = { createdAt: start, activeFrom: start, retiresAt: null }
  return { kid, algorithm: 'ES256', publicJwk: JSON.stringify(jwk), sealed: null, ...times }
}

/** A store whose readings end when the test says so, each with what was there when it began. */
function slowStore() {
  let records: readonly SigningKeyRecord[] = []
  let hear: (change: Change) => void = () => undefined
  const open: Array<() => void> = []
  const memory = memoryStore()
  const store: Store = {
    ...memory,
    changes: {
      ...memory.changes,
      subscribe: (listener: typeof hear) => {
        hear = listener
        return () => undefined
      },
      catchUp: () => undefined,
    },
    keys: {
      ...memory.keys,
      list: () => {
        const asRead = records
        return new Promise<readonly SigningKeyRecord[]>((resolve) => open.push(() => resolve(asRead)))
      },
    },
  }
  return {
    keys: new LoadedKeys(store, {} as Sealer, { nowMs: () => 0 }),
    hold: (...kids: readonly string[]) => {
      records = kids.map(record)
      hear({ kind: 'keys' })
    },
    /** Ends the oldest reading, and lets everybody who waits go on. */
    finish: async () => {
      open.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    },
    readings: () => open.length,
  }
}

describe('LoadedKeys', () => {
  it('gives each caller a reading that began after its call, and no more than that', async () => {
    const { keys, hold, finish, readings } = slowStore()
    hold('first')
    const before = keys.ready()
    hold('second')
    const after = keys.ready()
    await finish()
    await before
    expect(keys.find('first')).toHaveLength(1)
    expect(readings()).toBe(1)
    await finish()
    await after
    expect(keys.find('first')).toHaveLength(0)
    expect(keys.find('second')).toHaveLength(1)
    expect(keys.ready()).toBeUndefined()
  })

  it('does so also for who calls between the end of a reading and the next one', async () => {
    const { keys, hold, finish } = slowStore()
    hold('first')
    const reading = keys.ready()
    hold('first')
    const waiting = keys.ready()
    let isReady = false
    const late = reading?.then(async () => {
      hold('first')
      keys.ready()?.catch(() => undefined)
      hold('second')
      await keys.ready()
      isReady = true
    })
    await finish()
    await finish()
    await waiting
    expect(isReady).toBe(false)
    await finish()
    await late
    expect(keys.find('first')).toHaveLength(0)
    expect(keys.find('second')).toHaveLength(1)
  })
})

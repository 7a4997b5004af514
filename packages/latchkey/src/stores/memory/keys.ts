/** The memory store's signing keys. */
import type { SigningKeyRecord, SigningKeyStore } from '../store.js'
import { copyKey } from './copies.js'
import { methodsOf, publish, type Tables } from './tables.js'

export function keyStore(tables: Tables): SigningKeyStore {
  const method = methodsOf(tables)
  const keys = new Map<string, SigningKeyRecord>()
  const tell = () => publish(tables, { kind: 'keys' })
  return {
    insert: method((key, predecessorsRetireAt) => {
      if (keys.has(key.kid)) return false
      const inserted = copyKey(key)
      if (predecessorsRetireAt !== null) {
        for (const record of keys.values()) {
          if (record.retiresAt !== null || record.activeFrom.getTime() > key.activeFrom.getTime()) continue
          keys.set(record.kid, copyKey({ ...record, retiresAt: predecessorsRetireAt }))
        }
      }
      keys.set(key.kid, inserted)
      tell()
      return true
    }),
    list: method(() => [...keys.values()].sort(inOrder).map(copyKey)),
    retire: method((kid, now) => {
      const key = keys.get(kid)
      if (key === undefined || hasRetired(key, now)) return 'not_found'
      const others = [...keys.values()].filter((other) => other.kid !== kid && other.retiresAt === null)
      if (!others.some(({ activeFrom }) => activeFrom.getTime() <= now.getTime())) return 'needed'
      keys.set(kid, copyKey({ ...key, sealed: null, retiresAt: now }))
      tell()
      return 'retired'
    }),
    reseal: method((kid, expected, sealed) => {
      const key = keys.get(kid)
      if (key?.sealed == null || Buffer.compare(key.sealed, expected) !== 0) return false
      keys.set(kid, copyKey({ ...key, sealed }))
      return true
    }),
    deleteRetired: method((now) => {
      const retired = [...keys.values()].filter((key) => hasRetired(key, now))
      for (const { kid } of retired) keys.delete(kid)
      if (retired.length > 0) tell()
      return retired.length
    }),
  }
}

function hasRetired({ retiresAt }: SigningKeyRecord, now: Date): boolean {
  return retiresAt !== null && retiresAt.getTime() <= now.getTime()
}

function inOrder(one: SigningKeyRecord, other: SigningKeyRecord): number {
  return (
    one.activeFrom.getTime() - other.activeFrom.getTime() ||
    one.createdAt.getTime() - other.createdAt.getTime() ||
    (one.kid < other.kid ? -1 : 1)
  )
}

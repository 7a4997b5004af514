/** The memory store's register of sealing keys. */
import type { SealingKeyStore } from '../store.js'
import { methodsOf, publish, type Tables } from './tables.js'

export function sealingKeyStore(tables: Tables): SealingKeyStore {
  const method = methodsOf(tables)
  const ids = new Set<string>()
  const tell = () => publish(tables, { kind: 'keys' })
  return {
    list: method(() => [...ids].sort()),
    admit: method((id, held) => {
      if (ids.has(id)) return true
      if (ids.size > 0 && !held.some((one) => ids.has(one))) return false
      ids.add(id)
      tell()
      return true
    }),
    retain: method((kept) => {
      const removed = [...ids].filter((id) => !kept.includes(id))
      for (const id of removed) ids.delete(id)
      if (removed.length > 0) tell()
      return removed.length
    }),
  }
}

/** The memory store's access versions: how often the access of each user was narrowed. */
import { canonicalUserId, type UserId } from '../../identity.js'
import type { AccessBasis, AccessStore } from '../store.js'
import { methodsOf, publish, type Tables } from './tables.js'

export function accessStore(tables: Tables): AccessStore {
  const method = methodsOf(tables)
  return {
    version: method((userId) => versionOf(tables, userId)),
    narrow: method((userId) => {
      narrowAccess(tables, userId)
      publish(tables, { kind: 'user', userId })
    }),
  }
}

/** False: access was narrowed since the basis was taken. */
export function holds(tables: Tables, basis: AccessBasis | undefined): boolean {
  return basis === undefined || versionOf(tables, basis.userId) === basis.version
}

export function narrowAccess(tables: Tables, userId: UserId): void {
  const id = canonicalUserId(userId)
  tables.accessVersions.set(id, (tables.accessVersions.get(id) ?? 0) + 1)
}

/** Of every user, those too whose access was never narrowed. */
export function narrowEverybody(tables: Tables): void {
  tables.commonAccessVersion += 1
}

function versionOf(tables: Tables, userId: UserId): number {
  return (tables.accessVersions.get(canonicalUserId(userId)) ?? 0) + tables.commonAccessVersion
}

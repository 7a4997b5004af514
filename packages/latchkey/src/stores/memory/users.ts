/** The memory store's users. */
import type { UserId } from '../../identity.js'
import type { ImportedUserRecord, UserRecord, UserStore } from '../store.js'
import { narrowAccess } from './access.js'
import { copyOf, copyUser } from './copies.js'
import { HashSamples } from './hash-samples.js'
import { importOutcome } from './import-users.js'
import { methodsOf, pageOf, publish, refuseClosed, removeToken, type Tables, tokensOf } from './tables.js'

export function userStore(tables: Tables): UserStore {
  const { users, sessions, loginAddresses } = tables
  const byName = new Map<string, UserId>()
  const samples = new HashSamples()
  const method = methodsOf(tables)
  let lastId = 0
  return {
    findById: method((id) => copyOf(users.get(id), copyUser)),
    findByUsername: method((username) => {
      const id = byName.get(username)
      return id === undefined ? null : copyOf(users.get(id), copyUser)
    }),
    recordLogin: method((id, { lastLogin, passwordHash, expectedHash }) => {
      const user = users.get(id)
      if (!user) return
      const isUpgrade = passwordHash !== undefined && user.passwordHash === expectedHash
      const changes = { ...(lastLogin && { lastLogin }), ...(isUpgrade && { passwordHash }) }
      const changed = copyUser({ ...user, ...changes })
      users.set(id, changed)
      samples.replace(user.passwordHash, changed.passwordHash)
    }),
    insert: method((fields) => {
      if (byName.has(fields.username)) return null
      const user = copyUser({ ...fields, id: lastId + 1, passwordVersion: 0 })
      lastId += 1
      users.set(lastId, user)
      byName.set(user.username, lastId)
      samples.replace(undefined, user.passwordHash)
      return copyUser(user)
    }),
    async import(batches, { mayInsert }) {
      refuseClosed(tables)
      const rows: ImportedUserRecord[] = []
      for await (const batch of batches) rows.push(...batch)
      refuseClosed(tables)
      const outcome = importOutcome(rows, { byId: users, byName, lastId })
      if (outcome.conflictCount > 0 || !mayInsert()) return outcome
      for (const row of rows) {
        if (users.has(row.id)) continue
        users.set(row.id, copyUser({ ...row, passwordVersion: 0 }))
        byName.set(row.username, row.id)
        samples.replace(undefined, row.passwordHash)
        lastId = Math.max(lastId, row.id)
      }
      return outcome
    },
    update: method((id, changes) => {
      const user = users.get(id)
      if (!user) return 'not_found'
      const username = changes.username ?? user.username
      if ((byName.get(username) ?? id) !== id) return 'username_taken'
      const passwordVersion = user.passwordVersion + (changes.passwordHash === undefined ? 0 : 1)
      users.set(id, copyUser({ ...user, ...changes, passwordVersion }))
      samples.replace(user.passwordHash, changes.passwordHash ?? user.passwordHash)
      byName.delete(user.username)
      byName.set(username, id)
      narrowAccess(tables, id)
      publish(tables, { kind: 'user', userId: id })
      return 'updated'
    }),
    delete: method((id) => {
      const user = users.get(id)
      if (!user) return false
      users.delete(id)
      samples.replace(user.passwordHash, undefined)
      byName.delete(user.username)
      for (const token of tokensOf(tables, id)) removeToken(tables, token)
      for (const [digest, session] of [...sessions]) if (session.userId === id) sessions.delete(digest)
      for (const [key, { userId }] of loginAddresses) if (userId === id) loginAddresses.delete(key)
      narrowAccess(tables, id)
      publish(tables, { kind: 'user', userId: id })
      return true
    }),
    samplePasswordHashes: method(() => samples.list()),
    // Imported users may have lower ids than those before them.
    list: method((page) => pageOf([...users.values()].sort(byRowId), page).map(copyUser)),
  }
}

function byRowId(one: UserRecord, other: UserRecord): number {
  return Number(one.id) - Number(other.id)
}

/** The memory store's users. */
import type { UserId } from '../../identity.js'
import type { ImportedUserRecord, UserRecord, UserStore } from '../store.js'
import { copyOf, copyUser } from './copies.js'
import { importOutcome } from './import-users.js'
import { methodsOf, pageOf, publish, refuseClosed, removeToken, type Tables, tokensOf } from './tables.js'

export function userStore(tables: Tables): UserStore {
  const { users, sessions } = tables
  const byName = new Map<string, UserId>()
  const method = methodsOf(tables)
  let lastId = 0
  return {
    findById: method((id) => copyOf(users.get(id), copyUser)),
    findByUsername: method((username) => {
      const id = byName.get(username)
      return id === undefined ? null : copyOf(users.get(id), copyUser)
    }),
    recordLogin: method((id, change) => {
      const user = users.get(id)
      if (user) users.set(id, copyUser({ ...user, ...change }))
    }),
    insert: method((fields) => {
      if (byName.has(fields.username)) return null
      const user = copyUser({ ...fields, id: lastId + 1, passwordVersion: 0 })
      lastId += 1
      users.set(lastId, user)
      byName.set(user.username, lastId)
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
      byName.delete(user.username)
      byName.set(username, id)
      publish(tables, { kind: 'user', userId: id })
      return 'updated'
    }),
    delete: method((id) => {
      const user = users.get(id)
      if (!user) return false
      users.delete(id)
      byName.delete(user.username)
      for (const token of tokensOf(tables, id)) removeToken(tables, token)
      for (const [digest, session] of [...sessions]) if (session.userId === id) sessions.delete(digest)
      publish(tables, { kind: 'user', userId: id })
      return true
    }),
    // Imported users may have lower ids than those before them.
    list: method((page) => pageOf([...users.values()].sort(byRowId), page).map(copyUser)),
  }
}

function byRowId(one: UserRecord, other: UserRecord): number {
  return Number(one.id) - Number(other.id)
}

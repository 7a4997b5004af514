/** The memory store's users. */
import type { UserId } from '../../identity.js'
import type { UserStore } from '../store.js'
import { narrowAccess } from './access.js'
import { copyOf, copyUser } from './copies.js'
import { methodsOf, pageOf, publish, removeToken, type Tables, tokensOf } from './tables.js'

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
    recordLogin: method((id, { lastLogin, passwordHash, expectedHash }) => {
      const user = users.get(id)
      if (!user) return
      const isUpgrade = passwordHash !== undefined && user.passwordHash === expectedHash
      const changed = { ...(lastLogin && { lastLogin }), ...(isUpgrade && { passwordHash }) }
      users.set(id, copyUser({ ...user, ...changed }))
    }),
    insert: method((fields) => {
      if (byName.has(fields.username)) return null
      const user = copyUser({ ...fields, id: lastId + 1, passwordVersion: 0 })
      lastId += 1
      users.set(lastId, user)
      byName.set(user.username, lastId)
      return copyUser(user)
    }),
    update: method((id, changes) => {
      const user = users.get(id)
      if (!user) return 'not_found'
      const username = changes.username ?? user.username
      if ((byName.get(username) ?? id) !== id) return 'username_taken'
      const passwordVersion = user.passwordVersion + (changes.passwordHash === undefined ? 0 : 1)
      users.set(id, copyUser({ ...user, ...changes, passwordVersion }))
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
      byName.delete(user.username)
      for (const token of tokensOf(tables, id)) removeToken(tables, token)
      for (const [digest, session] of [...sessions]) if (session.userId === id) sessions.delete(digest)
      narrowAccess(tables, id)
      publish(tables, { kind: 'user', userId: id })
      return true
    }),
    list: method((page) => pageOf([...users.values()], page).map(copyUser)),
  }
}

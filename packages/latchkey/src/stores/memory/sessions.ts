/** The memory store's sessions. */
import { LatchkeyError } from '../../errors.js'
import type { SessionStore } from '../store.js'
import { holds } from './access.js'
import { copySession, textOf } from './copies.js'
import { mayOwn, methodsOf, type Tables, userOf } from './tables.js'

export function sessionStore(tables: Tables): SessionStore {
  const { sessions } = tables
  const method = methodsOf(tables)
  return {
    insert: method((session, basis) => {
      if (!holds(tables, basis)) return false
      const digest = textOf(session.digest)
      if (sessions.has(digest) || !mayOwn(tables, session.userId)) {
        throw new LatchkeyError('store_unavailable', {
          detail: 'a session needs a user that exists and a digest of its own',
        })
      }
      sessions.set(digest, copySession(session))
      return true
    }),
    findByDigest: method((digest) => {
      const session = sessions.get(textOf(digest))
      return session ? { session: copySession(session), user: userOf(tables, session.userId) } : null
    }),
    renew: method((digest, expected, expiresAt) => {
      const key = textOf(digest)
      const session = sessions.get(key)
      if (session?.expiresAt.getTime() !== expected.getTime()) return false
      sessions.set(key, copySession({ ...session, expiresAt }))
      return true
    }),
    delete: method((digest) => sessions.delete(textOf(digest))),
    deleteExpired: method((now) => {
      const ended = [...sessions].filter(([, session]) => session.expiresAt.getTime() < now.getTime())
      for (const [digest] of ended) sessions.delete(digest)
      return ended.length
    }),
  }
}

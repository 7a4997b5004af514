/** The memory store's addresses of successful logins. */
import type { LoginAddressRecord, LoginAddressStore } from '../store.js'
import { textOf } from './copies.js'
import { mayOwn, methodsOf, type Tables } from './tables.js'

export function loginAddressStore(tables: Tables): LoginAddressStore {
  const { loginAddresses } = tables
  const method = methodsOf(tables)
  const othersOf = ({ digest, userId }: LoginAddressRecord) =>
    [...loginAddresses].filter(([key, one]) => one.userId === userId && key !== textOf(digest))
  return {
    note: method((address, keep) => {
      if (!mayOwn(tables, address.userId)) return
      const { digest, userId, expiresAt } = address
      loginAddresses.set(textOf(digest), {
        digest: new Uint8Array(digest),
        userId,
        expiresAt: new Date(expiresAt.getTime()),
      })
      const others = othersOf(address).sort(([, a], [, b]) => b.expiresAt.getTime() - a.expiresAt.getTime())
      for (const [key] of others.slice(keep - 1)) loginAddresses.delete(key)
    }),
    isKnown: method((digests, now) =>
      digests.some((digest) => {
        const known = loginAddresses.get(textOf(digest))
        return known !== undefined && known.expiresAt.getTime() > now.getTime()
      }),
    ),
    deleteExpired: method((now) => {
      const expired = [...loginAddresses].filter(([, { expiresAt }]) => expiresAt.getTime() < now.getTime())
      for (const [key] of expired) loginAddresses.delete(key)
      return expired.length
    }),
  }
}

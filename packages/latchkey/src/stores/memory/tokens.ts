/** The memory store's tokens. */
import type { NewTokenRecord, TokenFilter, TokenInsertion, TokenRecord, TokenStore } from '../store.js'
import { copyOf, copyToken, textOf } from './copies.js'
import { mayOwn, methodsOf, pageOf, publish, removeToken, type Tables, tokensOf, userOf } from './tables.js'

export function tokenStore(tables: Tables): TokenStore {
  const { tokens } = tables
  const method = methodsOf(tables)
  let lastId = 0
  const withDigest = (digest: Uint8Array) => tokens.get(tables.digests.get(textOf(digest)) ?? 0)
  const thatFit = ({ userId, policy }: TokenFilter) => {
    const candidates = userId === undefined ? [...tokens.values()] : tokensOf(tables, userId)
    return policy === undefined ? candidates : candidates.filter((token) => token.policy === policy)
  }
  const remove = (token: TokenRecord) => {
    removeToken(tables, token)
    publish(tables, { kind: 'token', digest: new Uint8Array(token.digest) })
  }
  return {
    findByDigest: method((digest) => {
      const token = withDigest(digest)
      return token ? { token: copyToken(token), user: userOf(tables, token.userId) } : null
    }),
    findById: method((id) => copyOf(tokens.get(id), copyToken)),
    insertOrGet: method((fields: NewTokenRecord): TokenInsertion => {
      const [existing] = fields.onePerUser ? thatFit(siblingsOf(fields)) : []
      if (existing) return { kind: 'existing', token: copyToken(existing) }
      if (fields.limitPerUser !== null) {
        const live = thatFit(siblingsOf(fields)).filter(
          ({ expiresAt }) => expiresAt !== null && expiresAt > fields.createdAt,
        )
        if (live.length >= fields.limitPerUser) return { kind: 'limit_reached' }
      }
      if (withDigest(fields.digest)) return { kind: 'digest_taken' }
      if (!mayOwn(tables, fields.userId)) return { kind: 'no_user' }
      const token = copyToken({ ...fields, id: lastId + 1 })
      lastId += 1
      tokens.set(lastId, token)
      tables.digests.set(textOf(token.digest), lastId)
      tables.owned.set(token.userId, (tables.owned.get(token.userId) ?? new Set()).add(lastId))
      return { kind: 'created', token: copyToken(token) }
    }),
    renew: method((id, expected, expiresAt) => {
      const token = tokens.get(id)
      if (token?.expiresAt?.getTime() !== expected.getTime()) return false
      tokens.set(id, copyToken({ ...token, expiresAt }))
      publish(tables, { kind: 'token', digest: new Uint8Array(token.digest) })
      return true
    }),
    delete: method((id) => {
      const token = tokens.get(id)
      if (token) remove(token)
      return token !== undefined
    }),
    deleteMany: method((filter) => {
      const doomed = thatFit(filter)
      for (const token of doomed) remove(token)
      return doomed.length
    }),
    deleteExpired: method((now, which) => {
      const candidates =
        'id' in which ? [tokens.get(which.id)].flatMap((token) => token ?? []) : [...tokens.values()]
      const expired = candidates.filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now)
      const doomed = 'id' in which ? expired : pageOf(expired, which)
      for (const token of doomed) remove(token)
      return doomed.map(copyToken)
    }),
    list: method((filter, page) => pageOf(thatFit(filter), page).map(copyToken)),
    reseal: method((id, expected, sealed) => {
      const token = tokens.get(id)
      if (!token?.sealed || textOf(token.sealed) !== textOf(expected)) return false
      tokens.set(id, copyToken({ ...token, sealed }))
      return true
    }),
  }
}

const siblingsOf = ({ userId, policy }: NewTokenRecord): TokenFilter => ({ userId, policy })

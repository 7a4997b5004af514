/** The memory store's tokens. */
import type { NewTokenRecord, TokenFilter, TokenRecord, TokenStore } from '../store.js'
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
    insertOrGet: method((fields: NewTokenRecord) => {
      const [existing] = fields.onePerUser ? thatFit({ userId: fields.userId, policy: fields.policy }) : []
      if (existing) return { token: copyToken(existing), created: false }
      if (withDigest(fields.digest) || !mayOwn(tables, fields.userId)) return null
      const token = copyToken({ ...fields, id: lastId + 1 })
      lastId += 1
      tokens.set(lastId, token)
      tables.digests.set(textOf(token.digest), lastId)
      tables.owned.set(token.userId, (tables.owned.get(token.userId) ?? new Set()).add(lastId))
      return { token: copyToken(token), created: true }
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
    list: method((filter, page) => pageOf(thatFit(filter), page).map(copyToken)),
    reseal: method((id, expected, sealed) => {
      const token = tokens.get(id)
      if (!token?.sealed || textOf(token.sealed) !== textOf(expected)) return false
      tokens.set(id, copyToken({ ...token, sealed }))
      return true
    }),
  }
}

/** The memory store's tokens. */
import type {
  AccessBasis,
  NewTokenRecord,
  TokenFilter,
  TokenInsertion,
  TokenRecord,
  TokenStore,
} from '../store.js'
import { holds, narrowAccess, narrowEverybody } from './access.js'
import { copyOf, copyToken, copyUse, textOf } from './copies.js'
import {
  digestsOf,
  mayOwn,
  methodsOf,
  pageOf,
  publish,
  removeToken,
  type Tables,
  tokensOf,
  userOf,
} from './tables.js'

export function tokenStore(tables: Tables): TokenStore {
  const { tokens } = tables
  const method = methodsOf(tables)
  let lastId = 0
  const withDigest = (digest: Uint8Array) => tokens.get(tables.digests.get(textOf(digest)) ?? 0)
  const thatFit = ({ userId, policy, hint }: TokenFilter) => {
    const owners = userId === undefined ? null : [...new Set([userId].flat())]
    const candidates = owners?.flatMap((id) => tokensOf(tables, id)) ?? [...tokens.values()]
    return candidates.filter(
      (token) =>
        (policy === undefined || token.policy === policy) &&
        (hint === undefined || token.hint === hint || token.previous?.hint === hint),
    )
  }
  const tell = (token: TokenRecord) => {
    for (const digest of digestsOf(token)) publish(tables, { kind: 'token', digest: new Uint8Array(digest) })
  }
  const remove = (token: TokenRecord) => {
    removeToken(tables, token)
    tell(token)
  }
  const replace = (before: TokenRecord, after: TokenRecord) => {
    const record = copyToken(after)
    for (const digest of digestsOf(before)) tables.digests.delete(textOf(digest))
    for (const digest of digestsOf(record)) tables.digests.set(textOf(digest), record.id)
    for (const digest of digestsOf(before))
      if (!tables.digests.has(textOf(digest))) tables.uses.delete(textOf(digest))
    tokens.set(record.id, record)
    tell(before)
    return copyToken(record)
  }
  return {
    findByDigest: method((digest) => {
      const token = withDigest(digest)
      if (token === undefined) return null
      const { sealed, ...found } = copyToken(token)
      return { token: found, user: userOf(tables, token.userId) }
    }),
    findById: method((id) => copyOf(tokens.get(id), copyToken)),
    insertOrGet: method((fields: NewTokenRecord, basis?: AccessBasis): TokenInsertion => {
      if (!holds(tables, basis)) return { kind: 'stale' }
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
      const token = copyToken({ ...fields, id: lastId + 1, previous: null })
      lastId += 1
      tokens.set(lastId, token)
      tables.digests.set(textOf(token.digest), lastId)
      tables.owned.set(token.userId, (tables.owned.get(token.userId) ?? new Set()).add(lastId))
      return { kind: 'created', token: copyToken(token) }
    }),
    renew: method((id, expected, expiresAt) => {
      const token = tokens.get(id)
      if (token?.expiresAt?.getTime() !== expected.getTime()) return false
      replace(token, { ...token, expiresAt })
      return true
    }),
    update: method((id, changes) => {
      const token = tokens.get(id)
      if (token) replace(token, { ...token, ...changes })
      return token !== undefined
    }),
    rotate: method((id, { expected, previousEndsAt, ...secret }) => {
      const token = tokens.get(id)
      if (!token || textOf(token.digest) !== textOf(expected)) return null
      const previous = { digest: token.digest, hint: token.hint, endsAt: previousEndsAt }
      return replace(token, { ...token, ...secret, previous })
    }),
    dropPrevious: method((id, digest) => {
      const token = tokens.get(id)
      if (!token?.previous || textOf(token.previous.digest) !== textOf(digest)) return false
      replace(token, { ...token, previous: null })
      return true
    }),
    recordUses: method((uses) => {
      for (const use of uses) {
        if (!tokens.has(use.tokenId)) continue
        const known = tables.uses.get(textOf(use.digest))
        const latest = known && known.lastUsedAt > use.lastUsedAt ? known : use
        tables.uses.set(textOf(use.digest), copyUse({ ...latest, count: use.count + (known?.count ?? 0) }))
      }
    }),
    listUses: method((tokenIds) =>
      [...tables.uses.values()].filter(({ tokenId }) => tokenIds.includes(tokenId)).map(copyUse),
    ),
    delete: method((id) => {
      const token = tokens.get(id)
      if (token) remove(token)
      return token !== undefined
    }),
    deleteMany: method((filter) => {
      if (filter.hint === undefined) {
        if (filter.userId === undefined) narrowEverybody(tables)
        else for (const id of [filter.userId].flat()) narrowAccess(tables, id)
      }
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
    list: method((filter, page) => {
      const fitting = thatFit(filter).sort((one, other) => one.id - other.id)
      return pageOf(fitting, page).map(copyToken)
    }),
    reseal: method((id, expected, sealed) => {
      const token = tokens.get(id)
      if (!token?.sealed || textOf(token.sealed) !== textOf(expected)) return false
      tokens.set(id, copyToken({ ...token, sealed }))
      return true
    }),
  }
}

const siblingsOf = ({ userId, policy }: NewTokenRecord): TokenFilter => ({ userId, policy })

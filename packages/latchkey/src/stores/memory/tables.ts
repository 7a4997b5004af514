/** What the memory store's parts share: the rows, who listens, and how a method is made. */
import { LatchkeyError } from '../../errors.js'
import type { UserId } from '../../identity.js'
import type {
  Change,
  LoginAddressRecord,
  SessionRecord,
  TokenRecord,
  TokenUse,
  UserRecord,
} from '../store.js'
import { copyOf, copyUser, textOf } from './copies.js'

export interface Tables {
  closed: boolean
  readonly externalUsers: boolean
  readonly users: Map<UserId, UserRecord>
  readonly tokens: Map<number, TokenRecord>
  /** Token ids by the text of each secret's digest, and by owner. */
  readonly digests: Map<string, number>
  readonly owned: Map<UserId, Set<number>>
  /** By the digest's text. */
  readonly uses: Map<string, TokenUse>
  /** By the digest's text. */
  readonly sessions: Map<string, SessionRecord>
  /** By the digest's text. */
  readonly loginAddresses: Map<string, LoginAddressRecord>
  /** By the canonical id of the user. */
  readonly accessVersions: Map<UserId, number>
  /** Added to everybody's. */
  commonAccessVersion: number
  readonly listeners: Set<(change: Change) => void>
}

/** Makes synchronous work a store method: it never throws, it rejects, and after `close()` it always does. */
export function methodsOf(tables: Tables) {
  return <Args extends readonly unknown[], Result>(work: (...args: Args) => Result) =>
    async (...args: Args): Promise<Result> => {
      refuseClosed(tables)
      return work(...args)
    }
}

export function refuseClosed(tables: Tables): void {
  if (tables.closed) throw new LatchkeyError('store_unavailable', { detail: 'the store is closed' })
}

export function publish(tables: Tables, change: Change): void {
  for (const listener of [...tables.listeners]) listener(change)
}

export function tokensOf(tables: Tables, userId: UserId): TokenRecord[] {
  const ids = [...(tables.owned.get(userId) ?? [])]
  return ids.flatMap((id) => tables.tokens.get(id) ?? [])
}

/** The digests of a token's secrets. */
export function digestsOf({ digest, previous }: TokenRecord): readonly Uint8Array[] {
  return previous === null ? [digest] : [digest, previous.digest]
}

export function removeToken(tables: Tables, token: TokenRecord): void {
  tables.tokens.delete(token.id)
  for (const digest of digestsOf(token)) tables.digests.delete(textOf(digest))
  for (const [key, use] of tables.uses) if (use.tokenId === token.id) tables.uses.delete(key)
  const owned = tables.owned.get(token.userId)
  owned?.delete(token.id)
  if (owned?.size === 0) tables.owned.delete(token.userId)
}

export function mayOwn(tables: Tables, userId: UserId): boolean {
  return tables.externalUsers || tables.users.has(userId)
}

/** The user to return with a credential: none when users live elsewhere. */
export function userOf(tables: Tables, userId: UserId): UserRecord | null {
  return tables.externalUsers ? null : copyOf(tables.users.get(userId), copyUser)
}

export function pageOf<Row extends { readonly id: UserId }>(
  rows: readonly Row[],
  page: { readonly afterId?: number; readonly limit?: number } = {},
): readonly Row[] {
  const { afterId = 0, limit = Number.POSITIVE_INFINITY } = page
  return rows.filter((row) => Number(row.id) > afterId).slice(0, limit)
}

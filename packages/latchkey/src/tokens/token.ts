/** A token as everybody above the stores sees it: DRF's `request.auth`. */
import type { UserId } from '../identity.js'
import type { FoundToken, TokenRecord, TokenUse } from '../stores/store.js'
import { sharedScopes } from './scopes.js'

/**
 * The own property that marks a `Token` made here. JSON has no symbols, so no claims of a JWT and no body of a request
 * can carry it; it is a registered symbol, so that two copies of the package know each other's tokens.
 */
export const TOKEN_BRAND: unique symbol = Symbol.for('latchkey.token')

/** Whether a value is a `Token` made here, rather than data that looks like one. */
export function isToken(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, TOKEN_BRAND)
}

/** An opaque credential we issued, without its secret. */
export interface Token {
  readonly id: number
  readonly policy: string
  readonly userId: UserId
  /** Prefix and last four characters of the secret. */
  readonly hint: string
  readonly name: string
  /** What it may be used for, never more than its owner may; null: whatever its owner may do. */
  readonly scopes: readonly string[] | null
  /** Addresses and CIDR ranges it may come from; null: any. */
  readonly allowedAddresses: readonly string[] | null
  readonly createdAt: Date
  /** The first instant at which it is no longer valid; null: for ever. */
  readonly expiresAt: Date | null
  /** The secret before the last rotation, while it still works; null: there is none. */
  readonly previous: { readonly hint: string; readonly endsAt: Date } | null
}

/**
 * The tokens of this copy of the package, frozen. A private field tells them from everything else in a nanosecond or two,
 * which the permissions of a hot request need; the brand tells those of another copy.
 */
export class OwnToken implements Token {
  readonly [TOKEN_BRAND] = true
  readonly id: Token['id']
  readonly policy: Token['policy']
  readonly userId: Token['userId']
  readonly hint: Token['hint']
  readonly name: Token['name']
  readonly scopes: Token['scopes']
  readonly allowedAddresses: Token['allowedAddresses']
  readonly createdAt: Token['createdAt']
  readonly expiresAt: Token['expiresAt']
  readonly previous: Token['previous']
  readonly #isOwn = true

  constructor(token: Token) {
    this.id = token.id
    this.policy = token.policy
    this.userId = token.userId
    this.hint = token.hint
    this.name = token.name
    this.scopes = token.scopes
    this.allowedAddresses = token.allowedAddresses
    this.createdAt = token.createdAt
    this.expiresAt = token.expiresAt
    this.previous = token.previous
    Object.freeze(this)
  }

  static holds(value: object): value is OwnToken {
    return #isOwn in value
  }
}

/** How often one secret was used, and where the last use came from; uses of the last seconds may be missing. */
export interface SecretUse {
  readonly count: number
  readonly lastUsedAt: Date | null
  readonly lastUsedAddress: string | null
}

/** A token as lists show it. */
export interface ListedToken extends Token {
  /** Of its secret; none for policies that do not track use. */
  readonly use: SecretUse
  /** Of the previous secret: who still has it has not been moved over. */
  readonly previousUse: SecretUse | null
}

/** The public part of a stored token: no digest, nothing sealed. */
export function toToken(record: FoundToken): Token {
  const { id, policy, userId, hint, name, allowedAddresses, createdAt, expiresAt } = record
  const scopes = record.scopes && sharedScopes(record.scopes)
  const previous = record.previous && { hint: record.previous.hint, endsAt: record.previous.endsAt }
  return new OwnToken({
    id,
    policy,
    userId,
    hint,
    name,
    scopes,
    allowedAddresses,
    createdAt,
    expiresAt,
    previous,
  })
}

/** The same with the uses that the store knows of its secrets. */
export function toListedToken(record: TokenRecord, uses: readonly TokenUse[]): ListedToken {
  const useOf = (digest: Uint8Array): SecretUse => {
    const use = uses.find((one) => Buffer.compare(one.digest, digest) === 0)
    const { count = 0, lastUsedAt = null, lastUsedAddress = null } = use ?? {}
    return { count, lastUsedAt, lastUsedAddress }
  }
  return Object.freeze({
    ...toToken(record),
    use: useOf(record.digest),
    previousUse: record.previous && useOf(record.previous.digest),
  })
}

/** A token as everybody above the stores sees it: DRF's `request.auth`. */
import type { UserId } from '../identity.js'
import type { TokenRecord } from '../stores/store.js'

/** An opaque credential we issued, without its secret. */
export interface Token {
  readonly id: number
  readonly policy: string
  readonly userId: UserId
  /** Prefix and last four characters of the secret. */
  readonly hint: string
  readonly name: string
  readonly createdAt: Date
  /** The first instant at which it is no longer valid; null: for ever. */
  readonly expiresAt: Date | null
}

/** The public part of a stored token: no digest, nothing sealed. */
export function toToken(record: TokenRecord): Token {
  const { id, policy, userId, hint, name, createdAt, expiresAt } = record
  return Object.freeze({ id, policy, userId, hint, name, createdAt, expiresAt })
}

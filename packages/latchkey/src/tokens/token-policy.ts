/** The named rows of rules that tokens follow: one table, read by the token service. */
import { randomHex } from '../crypto/random.js'

/** Everything the token service needs to know about one kind of token. */
export interface TokenPolicy {
  readonly name: string
  /** What every secret begins with. */
  readonly prefix: string
  /** Hex digits after the prefix. */
  readonly hexDigits: number
  /** One token per user: asking again gives the same one. */
  readonly onePerUser: boolean
  /** The secret is kept sealed, so that it can be shown again. */
  readonly shownAgain: boolean
  /** Lifetime in seconds; null: for ever. */
  readonly ttlSeconds: number | null
}

/** DRF's `rest_framework.authtoken`: 40 lower-case hex digits (160 bits), one per user, shown at every login. */
export const AUTHTOKEN: TokenPolicy = Object.freeze({
  name: 'authtoken',
  prefix: '',
  hexDigits: 40,
  onePerUser: true,
  shownAgain: true,
  ttlSeconds: null,
})

export const TOKEN_POLICIES: readonly TokenPolicy[] = Object.freeze([AUTHTOKEN])

/** A new secret under a policy. */
export function newSecretText(policy: TokenPolicy): string {
  return policy.prefix + randomHex(policy.hexDigits)
}

/** What people see of a secret: the prefix and the last four characters. */
export function hintOf(policy: TokenPolicy, secret: string): string {
  return `${policy.prefix}…${secret.slice(-4)}`
}

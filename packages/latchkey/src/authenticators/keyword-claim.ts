/** Which `Authorization` headers an authenticator answers for. `compose.ts` reads it where several share a keyword. */
import type { Authenticator } from './authenticator.js'

export interface KeywordClaim {
  /** As configured. */
  readonly keywords: readonly string[]
  /** Whether the keywords are compared with their case. */
  readonly hasCase: boolean
  /** Whether a credential has a shape that only this authenticator knows. Pure, and cheap for text of any length. */
  recognises(secret: string): boolean
  /** A credential of that shape, to find out whether another authenticator takes it first; null: there is no shape. */
  readonly sample: string | null
  /** The policies of opaque tokens, which are found by their digest whatever their shape; null: takes none. */
  readonly policies: readonly string[] | null
  /** True: also recognises credentials in other places, such as a cookie. */
  readonly isElsewhere: boolean
  /** The same authenticator for tokens of these policies. */
  withPolicies?(policies: readonly string[]): Authenticator
  /** The call that makes one authenticator of this kind and another, for the message that refuses the list. */
  readonly advice: string
}

/** Whether a keyword of a header is one of a claim's. */
export function claimsKeyword({ keywords, hasCase }: KeywordClaim, keyword: string): boolean {
  return hasCase
    ? keywords.includes(keyword)
    : keywords.some((one) => one.toLowerCase() === keyword.toLowerCase())
}

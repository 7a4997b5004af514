/** What the token service knows of a secret that it found good, between the store and the verified cache. */
import type { Identity } from '../identity.js'
import type { UseTally } from './last-used.js'
import type { Token } from './token.js'

/** A verified token with its user: its end and the user's activity are still judged at every use. */
export interface VerifiedToken {
  readonly identity: Identity<Token> & { readonly user: NonNullable<Identity['user']> }
  /** When its secret stops working, in milliseconds, `Infinity` for never: compared at every use. */
  readonly endsAtMs: number
  /** A use after this moment renews the token; `Infinity`: none does. */
  readonly renewAfterMs: number
  /** Whether it may come from an address; null: from any. */
  readonly allows: ((address: string) => boolean) | null
  readonly tracksUse: boolean
  /** Where its uses are counted, from the first one. */
  tally: UseTally | null
}

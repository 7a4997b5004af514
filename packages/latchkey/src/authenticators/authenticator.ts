/** What an authenticator is: it recognises one kind of credential in a request. The guard asks them in order. */
import type { Identity } from '../identity.js'
import { hasMethods, listOf } from '../options.js'
import type { Services } from '../services.js'
import type { KeywordClaim } from './keyword-claim.js'

/** What an authenticator may look at. */
export interface CredentialRequest {
  readonly method: string
  readonly secure: boolean
  /** The peer of the connection, and no header. */
  readonly remoteAddress: string | undefined
  /** The caller's address as far as configured proxies are trusted; IPv6 as its /64. */
  readonly address: string
  /** The same in full; `''` where a proxy did not say it. */
  readonly clientAddress: string
  /** True in a guard before a handler that reads the body itself: what is read here may be lost to it. */
  readonly leavesBody: boolean
  /** A header by its lower-case name; one character per byte. */
  header(name: string): string | undefined
  cookie(name: string): string | undefined
  /** The parsed body. Throws `parse_error`, `unsupported_media_type`, `payload_too_large`. */
  data(): Promise<unknown>
  /** Says that the answer depends on this request header, for `Vary`. */
  varyOn(header: string): void
}

/**
 * Answers in exactly three ways:
 *
 * - `null`: no credential of this kind in the request; the next authenticator is asked;
 * - an `Identity`: the credential is of this kind and valid; no further authenticator is asked;
 * - throws `authentication_failed` (or `permission_denied` for a failed CSRF check): of this kind, and bad; the request
 *   ends here. A store in trouble throws `store_unavailable`: an outage never reads as a bad credential.
 *
 * It parses; the service verifies. It never sees a store. It may answer synchronously, and then the guard does too.
 */
export interface Authenticator {
  readonly name: string
  /**
   * The `WWW-Authenticate` value that a 401 offers; null: this kind has none, and where it is the first in the list
   * refusals are 403 (DRF's rule).
   */
  readonly challenge: string | null
  /** For lists in which several take the same keyword of `Authorization`; without it this one takes what it takes. */
  readonly keywordClaim?: KeywordClaim
  authenticate(request: CredentialRequest, services: Services): Identity | null | Promise<Identity | null>
}

export const isAuthenticator = hasMethods('authenticate')

/** What an option that takes authenticators must be. */
export const AUTHENTICATORS = listOf('authenticators, such as tokenAuthentication()', isAuthenticator)

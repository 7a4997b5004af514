/** Only with a token that was granted this. */
import { fieldOf, type Identity, isAuthenticatedIdentity } from '../identity.js'
import { isScope, scopeMatcher } from '../tokens/scopes.js'
import { isToken, OwnToken } from '../tokens/token.js'
import type { Permission } from './permission.js'

/**
 * The credential covers every one of these scopes (`any(hasScope('a'), hasScope('b'))` for one of them). Never allows
 * nobody.
 *
 * Scopes restrict a credential; they give its owner no rights. So whoever acts as the user entirely is not restricted:
 * a session, a password, a token with `scopes: null` (those of authtoken and knox), a JWT that says nothing of scopes.
 * A JWT's `scope` (RFC 8693, 4.2: separated by blanks) or `scopes`, and the same of your own authenticators' `auth`,
 * may be a text or a list of texts; there, anything else covers nothing.
 *
 * @throws TypeError for what is no scope, and for none
 */
export function hasScope(...required: readonly [string, ...string[]]): Permission<true> {
  if (required.length === 0) throw new TypeError('hasScope: needs a scope')
  for (const scope of required) {
    if (!isScope(scope)) throw new TypeError(`hasScope: '${scope}' is not a scope`)
  }
  return Object.freeze({
    name: `HasScope(${required.join(', ')})`,
    requiresUser: true as const,
    message: `This needs a token with the scope ${required.join(' ')}.`,
    // RFC 6750, 3.1. No scope has a quote or a backslash in it.
    challengeParameters: `error="insufficient_scope", scope="${required.join(' ')}"`,
    allows: (identity: Identity) => {
      if (!isAuthenticatedIdentity(identity)) return false
      const granted = scopesOf(identity.auth)
      return granted === null || required.every(scopeMatcher(granted))
    },
  })
}

const NOTHING: readonly string[] = Object.freeze([])

/** What a credential is restricted to; null: nothing. */
export function scopesOf(auth: unknown): readonly string[] | null {
  if (typeof auth !== 'object' || auth === null) return null
  // Nearly all that is asked about.
  if (OwnToken.holds(auth)) return auth.scopes
  const scope = fieldOf(auth, 'scope')
  if (scope !== undefined) return listOf(scope)
  const scopes = fieldOf(auth, 'scopes')
  if (scopes === undefined) return 'scope' in auth || 'scopes' in auth ? NOTHING : null
  // Null in claims is no leave to do everything: issuers write it for an empty list.
  return scopes === null && isToken(auth) ? null : listOf(scopes)
}

function listOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim : NOTHING
}

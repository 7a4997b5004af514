/**
 * The own-origin check: refuses what a page of another site makes a browser send. For credentials that a browser adds to
 * requests by itself (Basic, client certificates, a network that vouches for its users), and for logins.
 */
import { LatchkeyError } from '../errors.js'
import { checkOptions, checkValue, listOf, orNull, type Rule, required, rule } from '../options.js'
import { SAFE_METHODS } from '../request.js'
import { foreign, originFailure } from '../sessions/csrf.js'
import { type Authenticator, type CredentialRequest, isAuthenticator } from './authenticator.js'

export interface OwnOriginOptions {
  /**
   * Other origins whose pages may send these credentials: `['https://app.example.com']`; null: any, which switches the
   * check off. Default is none.
   */
  readonly trustedOrigins?: readonly string[] | null
}

/** What `trustedOrigins` must be. */
export const TRUSTED_ORIGINS: Rule = orNull(listOf("origins, such as 'https://app.example.com'", isOrigin))

const AMBIENT = rule('be an authenticator', isAuthenticator)

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value
}

/**
 * Refuses a method that changes something when a browser says that a page of another origin sent it. A request with
 * neither `Sec-Fetch-Site` nor `Origin` does not come from a browser, and passes: every browser in use sends one of
 * them. `Sec-Fetch-Site` decides where it is there, since a proxy may have changed `Host`.
 *
 * @throws LatchkeyError `permission_denied`, in the words of Django's CSRF check
 */
export function requireOwnOriginOfBrowser(
  request: CredentialRequest,
  { trustedOrigins = [] }: OwnOriginOptions = {},
): void {
  if (trustedOrigins === null || SAFE_METHODS.has(request.method)) return
  const origin = request.header('origin')
  if (origin !== undefined && trustedOrigins.includes(origin)) return
  const site = request.header('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  const failure =
    site === undefined ? originFailureOf(request, origin) : foreign(origin ?? `a ${site} request`)
  if (failure !== null) throw new LatchkeyError('permission_denied', { message: `CSRF Failed: ${failure}` })
}

function originFailureOf(request: CredentialRequest, origin: string | undefined): string | null {
  return origin === undefined
    ? null
    : originFailure({ secure: request.secure, header: (name) => request.header(name) })
}

/**
 * An authenticator of your own for a credential that browsers send by themselves, with the own-origin check: what it
 * recognises is accepted from pages of this origin, from the trusted ones, and from programs that are no browsers.
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function ambientAuthentication(
  authenticator: Authenticator,
  options: OwnOriginOptions = {},
): Authenticator {
  checkValue('authenticator', authenticator, required(AMBIENT))
  checkOptions('ambientAuthentication', options, { trustedOrigins: TRUSTED_ORIGINS })
  return Object.freeze({
    name: authenticator.name,
    challenge: authenticator.challenge,
    ...(authenticator.keywordClaim && { keywordClaim: authenticator.keywordClaim }),
    async authenticate(request, services) {
      const identity = await authenticator.authenticate(request, services)
      if (identity !== null) requireOwnOriginOfBrowser(request, options)
      return identity
    },
  } satisfies Authenticator)
}

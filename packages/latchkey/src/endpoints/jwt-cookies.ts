/**
 * The endpoints of simplejwt with `cookies: true`: tokens travel in HttpOnly cookies that no script reads, and never in a
 * body. `jwt.ts` mounts them.
 */
import type { ApiRequest } from '../api-request.js'
import { requireCsrf } from '../authenticators/require-csrf.js'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import type { JwtService, RefreshedJwts } from '../jwt/jwt-service.js'
import { type CookieOptions, serializeCookie } from '../sessions/cookies.js'
import { newCsrfToken } from '../sessions/csrf.js'
import type { SessionService } from '../sessions/session-service.js'
import { type ApiResponse, response } from '../views/response.js'

interface CookieContext {
  readonly jwts: JwtService
  readonly sessions: SessionService
}

/** Whether the browser speaks TLS: `Secure` cookies say so, whatever a proxy in between speaks. */
export function isSecure(request: ApiRequest, { jwts }: Pick<CookieContext, 'jwts'>): boolean {
  return jwts.options.cookies.secure || request.secure
}

/** The answer to a login: both tokens as cookies, and a fresh CSRF token that scripts may read. */
export function loggedIn(context: CookieContext, tokens: RefreshedJwts, data: object): ApiResponse {
  return response(data, { headers: { 'Set-Cookie': tokenCookies(context, tokens, newCsrfToken()) } })
}

/** Renews the cookies from the refresh cookie, by the rules of the body form. */
export function refreshCookies(request: ApiRequest, context: CookieContext) {
  return withRefreshCookie(request, context, async (token) => {
    const tokens = await context.jwts.refresh(token, { address: request.address })
    const csrfToken = request.cookie(context.sessions.csrfCookieName) ?? newCsrfToken()
    return response({}, { headers: { 'Set-Cookie': tokenCookies(context, tokens, csrfToken) } })
  })
}

/** Logs a browser out: both tokens have ended, and their cookies are gone. */
export function endCookies(request: ApiRequest, context: CookieContext) {
  return withRefreshCookie(request, context, async (token) => {
    const { jwts } = context
    await endAccess(jwts, request.cookie(jwts.options.cookies.accessName))
    await jwts.blacklist(token, { address: request.address })
    return response({}, { headers: { 'Set-Cookie': clearedCookies(jwts) } })
  })
}

/**
 * Nobody without the cookie; with it the CSRF token is asked for, since any site can send a cookie. A token that is
 * refused takes both cookies with it: else the access cookie would shut public routes, too, until it expires.
 */
async function withRefreshCookie(
  request: ApiRequest,
  context: CookieContext,
  use: (token: string) => Promise<ApiResponse>,
): Promise<ApiResponse> {
  const { jwts, sessions } = context
  const token = request.cookie(jwts.options.cookies.refreshName) ?? ''
  if (token === '') throw new LatchkeyError('not_authenticated')
  await requireCsrf(request, { sessions, secure: isSecure(request, context), formField: 'last' })
  try {
    return await use(token)
  } catch (error) {
    if (!isLatchkeyError(error, 'authentication_failed')) throw error
    const { code, publicMessage: message, extra } = error
    throw new LatchkeyError(code, {
      message,
      ...(extra && { extra }),
      headers: { 'Set-Cookie': clearedCookies(jwts) },
      cause: error,
    })
  }
}

/** An access token would live on for minutes beside the refresh token that ended. A bad one has no life to end. */
async function endAccess(jwts: JwtService, token: string | undefined): Promise<void> {
  const claims = await jwts.verify(token ?? '').catch((error: unknown) => {
    if (isLatchkeyError(error, 'authentication_failed')) return null
    throw error
  })
  if (claims !== null) await jwts.revoke(claims)
}

/** The refresh cookie is needed by requests of our own pages alone, the access cookie by links that lead here, too. */
function tokenCookies(
  { jwts, sessions }: CookieContext,
  { access, refresh }: RefreshedJwts,
  csrfToken: string,
): readonly string[] {
  const { accessTtlSeconds, refreshTtlSeconds } = jwts.options
  const { secure, accessName, refreshName } = jwts.options.cookies
  const cookie = (name: string, value: string, options: Omit<CookieOptions, 'secure'>) =>
    bounded(name, serializeCookie(name, value, { ...options, secure }))
  const refreshMaxAge = Math.floor(refreshTtlSeconds)
  const accessCookie = cookie(accessName, access, {
    maxAgeSeconds: Math.floor(accessTtlSeconds),
    httpOnly: true,
  })
  if (refresh === undefined) return [accessCookie]
  return [
    accessCookie,
    cookie(refreshName, refresh, { maxAgeSeconds: refreshMaxAge, httpOnly: true, sameSite: 'Strict' }),
    cookie(sessions.csrfCookieName, csrfToken, { maxAgeSeconds: refreshMaxAge, httpOnly: false }),
  ]
}

function clearedCookies(jwts: JwtService): readonly string[] {
  const { secure, accessName, refreshName } = jwts.options.cookies
  const gone = { maxAgeSeconds: 0, secure, httpOnly: true }
  return [
    serializeCookie(accessName, '', gone),
    serializeCookie(refreshName, '', { ...gone, sameSite: 'Strict' }),
  ]
}

/** Browsers drop a longer cookie without a word (RFC 6265, 6.1). */
const MAX_COOKIE_LENGTH = 4096

function bounded(name: string, cookie: string): string {
  if (cookie.length <= MAX_COOKIE_LENGTH) return cookie
  throw new TypeError(`jwt.claims: the token does not fit the cookie ${name}: ${cookie.length} characters`)
}

/** The cookies of a browser's session, set at a login and cleared at a logout. The session endpoints call it. */
import { BOOLEAN, type Rules } from '../../options.js'
import { serializeCookie } from '../../sessions/cookies.js'
import { newCsrfToken } from '../../sessions/csrf.js'
import type { SessionService } from '../../sessions/session-service.js'
import { ROUTE_RULES, type ViewPolicy } from '../../views/view.js'

export interface SessionEndpointOptions
  extends Pick<ViewPolicy, 'permissions' | 'throttles' | 'parsers' | 'renderers' | 'maxBodyBytes'> {
  /**
   * True: the cookies are `Secure`, whatever the connection is. Needed behind a proxy that ends TLS. Default is whether
   * the connection is TLS.
   */
  readonly secure?: boolean
}

const { permissions, throttles, parsers, renderers, maxBodyBytes } = ROUTE_RULES

export const SESSION_ENDPOINT_RULES: Rules<SessionEndpointOptions> = Object.freeze({
  ...{ permissions, throttles, parsers, renderers, maxBodyBytes },
  secure: BOOLEAN,
})

/** A new session with a new CSRF token, which scripts may read (Django's `rotate_token`). */
export function startedCookies(sessions: SessionService, secret: string, secure: boolean): readonly string[] {
  const cookie = { maxAgeSeconds: Math.floor(sessions.ttlSeconds), secure }
  return [
    serializeCookie(sessions.cookieName, secret, { ...cookie, httpOnly: true }),
    serializeCookie(sessions.csrfCookieName, newCsrfToken(), { ...cookie, httpOnly: false }),
  ]
}

export function clearedCookies(sessions: SessionService, secure: boolean): readonly string[] {
  const cookie = { maxAgeSeconds: 0, secure }
  return [
    serializeCookie(sessions.cookieName, '', { ...cookie, httpOnly: true }),
    serializeCookie(sessions.csrfCookieName, '', { ...cookie, httpOnly: false }),
  ]
}

/** What events call sessions, in place of the name of a token policy. */
export const SESSION_POLICY = 'session'

/** What events show of a session: the last four characters of its secret. */
export function sessionHint(secret: string): string {
  return `…${secret.slice(-4)}`
}

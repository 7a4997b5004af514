/** Ends the session of a browser's cookie: Django's `LogoutView` as a JSON endpoint. */
import { requireOwnOriginOfBrowser } from '../../authenticators/own-origin.js'
import { requireCsrf } from '../../authenticators/require-csrf.js'
import { checkOptions } from '../../options.js'
import { allowAny } from '../../permissions/allow-any.js'
import { apiView } from '../../views/api-view.js'
import { response } from '../../views/response.js'
import type { View } from '../../views/view.js'
import {
  clearedCookies,
  SESSION_ENDPOINT_RULES,
  SESSION_POLICY,
  type SessionEndpointOptions,
  sessionHint,
} from './session-cookies.js'

/**
 * `POST` -> 204: the session has ended, and both cookies are cleared. A live session needs the CSRF token, as a header
 * or as the form field; without it, or from a page of another origin, 403. Without a live session the cookies are
 * cleared all the same.
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function sessionLogout(options: SessionEndpointOptions = {}): View {
  checkOptions('sessionLogout', options, SESSION_ENDPOINT_RULES)
  const { secure: isAlwaysSecure, ...policy } = options
  return apiView({
    permissions: [allowAny],
    ...policy,
    // A session that has ended must not block its own logout.
    authentication: [],
    name: 'Session Logout',
    description: 'Ends the session of this browser.',
    carriesSecret: true,
    async post(request, { login, sessions }) {
      const secure = isAlwaysSecure ?? request.secure
      request.varyOn('Cookie')
      requireOwnOriginOfBrowser(request)
      const secret = request.cookie(sessions.cookieName)
      const user = secret === undefined ? null : await sessions.verify(secret)
      if (user !== null) await requireCsrf(request, { sessions, secure, formField: 'last' })
      // Also one that no longer counts, such as that of a user who was deactivated.
      const hasEnded = secret !== undefined && (await sessions.end(secret))
      if (secret !== undefined && user !== null && hasEnded) {
        login.noteLogout(user, { policy: SESSION_POLICY, hint: sessionHint(secret) }, request.address)
      }
      return response(undefined, {
        status: 204,
        headers: { 'Set-Cookie': clearedCookies(sessions, secure) },
      })
    },
  })
}

/** The session cookie, with CSRF protection: DRF's `SessionAuthentication`. Reads cookies; the session service decides. */
import type { Authenticator } from './authenticator.js'
import { requireCsrf } from './require-csrf.js'

/**
 * Recognises a browser that logged in. Methods that change something need the CSRF token, as a header or as the form
 * field `csrfmiddlewaretoken`. Has no challenge: where it is the first authenticator, refusals are 403.
 */
export function sessionAuthentication(): Authenticator {
  return Object.freeze({
    name: 'SessionAuthentication',
    challenge: null,
    async authenticate(request, { sessions }) {
      request.varyOn('Cookie')
      const secret = request.cookie(sessions.cookieName)
      const user = secret === undefined ? null : await sessions.verify(secret)
      if (user === null) return null
      await requireCsrf(request, { sessions, secure: request.secure, formField: 'first' })
      return { user, auth: null }
    },
  } satisfies Authenticator)
}

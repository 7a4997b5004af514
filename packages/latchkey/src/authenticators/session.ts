/** The session cookie, with CSRF protection: DRF's `SessionAuthentication`. Reads cookies; the session service decides. */
import { LatchkeyError } from '../errors.js'
import { csrfFailure } from '../sessions/csrf.js'
import type { Authenticator, CredentialRequest } from './authenticator.js'

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
      const failure = await csrfFailure({
        method: request.method,
        secure: request.secure,
        header: (name) => request.header(name),
        cookie: request.cookie(sessions.csrfCookieName),
        headerName: sessions.csrfHeaderName,
        formField: () => csrfField(request),
      })
      if (failure !== null)
        throw new LatchkeyError('permission_denied', { message: `CSRF Failed: ${failure}` })
      return { user, auth: null }
    },
  } satisfies Authenticator)
}

/** Only a form has fields, but as in DRF any body is parsed here: what cannot be parsed is refused as such. */
async function csrfField(request: CredentialRequest): Promise<string> {
  const data = await request.data()
  const type = request.header('content-type') ?? ''
  if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(type)) return ''
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, 'csrfmiddlewaretoken')) return ''
  const field: unknown = Reflect.get(data, 'csrfmiddlewaretoken')
  return typeof field === 'string' ? field : ''
}

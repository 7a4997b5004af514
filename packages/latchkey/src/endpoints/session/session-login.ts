/** Username and password in, session cookie out: Django's `LoginView` as a JSON endpoint. For browsers. */
import { requireOwnOriginOfBrowser } from '../../authenticators/own-origin.js'
import { LatchkeyError } from '../../errors.js'
import type { User } from '../../identity.js'
import { BOOLEAN, checkOptions, FUNCTION } from '../../options.js'
import { allowAny } from '../../permissions/allow-any.js'
import { apiView } from '../../views/api-view.js'
import { charField, validateFields } from '../../views/fields.js'
import { response } from '../../views/response.js'
import type { View } from '../../views/view.js'
import {
  SESSION_ENDPOINT_RULES,
  SESSION_POLICY,
  type SessionEndpointOptions,
  sessionHint,
  startedCookies,
} from './session-cookies.js'

export interface SessionLoginOptions extends SessionEndpointOptions {
  /** False: failed logins are not counted here. Default is true. */
  readonly throttleLogins?: boolean
  /** The body of the answer. Default is `{"id", "username", "email", "is_staff", "is_superuser"}`. */
  readonly answer?: (user: User) => object | Promise<object>
}

const FIELDS = Object.freeze({
  username: charField({ label: 'Username' }),
  password: charField({ label: 'Password', trim: false }),
})

/**
 * `POST {username, password}` as JSON, a form or multipart -> 200 with the user, the session cookie (HttpOnly,
 * SameSite=Lax) and a new CSRF cookie. The session is a new one, and the one that the browser had before has ended.
 * Wrong credentials of any kind: 400 `{"non_field_errors": ["Unable to log in with provided credentials."]}`, and the
 * session before stays. A page of another origin is refused with 403 before the password is looked at.
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function sessionLogin(options: SessionLoginOptions = {}): View {
  checkOptions('sessionLogin', options, {
    ...SESSION_ENDPOINT_RULES,
    throttleLogins: BOOLEAN,
    answer: FUNCTION,
  })
  const { throttleLogins = true, answer = userJson, secure: isAlwaysSecure, ...policy } = options
  return apiView({
    permissions: [allowAny],
    ...policy,
    // A stale credential must not block a login.
    authentication: [],
    name: 'Session Login',
    fields: FIELDS,
    carriesSecret: true,
    async post(request, { login, sessions }) {
      requireOwnOriginOfBrowser(request)
      const { address } = request
      const credentials = { ...validateFields(FIELDS, await request.data()), address }
      const user = await login.login(credentials, { throttle: throttleLogins })
      if (user === null) {
        const message = 'Unable to log in with provided credentials.'
        throw new LatchkeyError('invalid', { fields: { non_field_errors: [message] } })
      }
      const data = await answer(user)
      const { secret } = await sessions.start(user)
      const text = secret.reveal()
      const before = request.cookie(sessions.cookieName)
      if (before !== undefined) await sessions.end(before)
      await login.noteLogin(user, { policy: SESSION_POLICY, hint: sessionHint(text) }, address)
      return response(data, {
        headers: { 'Set-Cookie': startedCookies(sessions, text, isAlwaysSecure ?? request.secure) },
      })
    },
  })
}

function userJson({ id, username, email, isStaff, isSuperuser }: User): object {
  return { id, username, email, is_staff: isStaff, is_superuser: isSuperuser }
}

/** Username and password in, token out: DRF's `obtain_auth_token`. Mounted at `/api-token-auth/` by convention. */
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import { allowAny } from '../permissions/allow-any.js'
import { apiView } from '../views/api-view.js'
import { charField, validateFields } from '../views/fields.js'
import { formParser } from '../views/parsers/form.js'
import { jsonParser } from '../views/parsers/json.js'
import { multipartParser } from '../views/parsers/multipart.js'
import { jsonRenderer } from '../views/renderers/json.js'
import type { View, ViewPolicy } from '../views/view.js'

export interface ObtainAuthTokenOptions
  extends Pick<
    ViewPolicy,
    'authentication' | 'permissions' | 'throttles' | 'parsers' | 'renderers' | 'maxBodyBytes'
  > {
  /** False: failed logins are not counted here. Default is true. */
  readonly throttleLogins?: boolean
}

const FIELDS = Object.freeze({
  username: charField({ label: 'Username' }),
  password: charField({ label: 'Password', trim: false }),
  token: charField({ label: 'Token', readOnly: true }),
})

/**
 * `POST {username, password}` as a form, multipart or JSON -> `{"token": "<40 hex>"}`, the same token every time.
 * Wrong credentials of any kind: 400 `{"non_field_errors": ["Unable to log in with provided credentials."]}`.
 *
 * Unlike DRF it ignores request credentials by default, so that a stale `Authorization` header does not block a login;
 * pass `authentication` to have them judged first.
 */
export function obtainAuthToken(options: ObtainAuthTokenOptions = {}): View {
  const { throttleLogins = true, ...policy } = options
  return apiView({
    authentication: [],
    permissions: [allowAny],
    throttles: [],
    parsers: [formParser(), multipartParser(), jsonParser({ exactNumbers: true })],
    renderers: [jsonRenderer()],
    ...policy,
    name: 'Obtain Auth Token',
    fields: FIELDS,
    carriesSecret: true,
    async post(request, { login, tokens }) {
      const { username, password } = validateFields(FIELDS, await request.data())
      const credentials = { username, password, address: request.address }
      const user = await login.login(credentials, { updateLastLogin: true, throttle: throttleLogins })
      if (user === null) throw loginFailed()
      const { secret } = await tokens.getOrCreate({ user }).catch((error: unknown) => {
        // Access was narrowed since the password was verified.
        throw isLatchkeyError(error, 'authentication_failed') ? loginFailed() : error
      })
      return { token: secret.reveal() }
    },
  })
}

function loginFailed(): LatchkeyError {
  const message = 'Unable to log in with provided credentials.'
  return new LatchkeyError('invalid', { fields: { non_field_errors: [message] } })
}

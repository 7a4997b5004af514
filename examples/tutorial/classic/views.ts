/** The tutorial's second half: a login view written by hand, and a view that needs the token it gives out. */
import { allowAny, apiView, charField, isAuthenticated, LatchkeyError, validateFields } from 'latchkey'

const LOGIN_FIELDS = {
  username: charField({ label: 'Username' }),
  password: charField({ label: 'Password', trim: false }),
}

export const loginView = apiView(
  ['POST'],
  async (request, { login, tokens }) => {
    const { username, password } = validateFields(LOGIN_FIELDS, await request.data())
    const credentials = { username, password, address: request.address }
    const user = await login.login(credentials, { updateLastLogin: true })
    if (user === null) {
      // One answer for every reason, so that nobody can find out which usernames exist.
      const message = 'Unable to log in with provided credentials.'
      throw new LatchkeyError('invalid', { fields: { non_field_errors: [message] } })
    }
    const { secret } = await tokens.getOrCreate({ user })
    return { token: secret.reveal() }
  },
  {
    name: 'Login',
    // No authenticators: an old token in the header must not keep anybody from logging in.
    authentication: [],
    permissions: [allowAny],
    fields: LOGIN_FIELDS,
    carriesSecret: true,
  },
)

export const classicHelloView = apiView(['GET'], ({ user }) => ({ message: `Hello, ${user.username}!` }), {
  name: 'Classic hello',
  permissions: [isAuthenticated],
})

/** The endpoints of simplejwt: obtain, refresh, verify and blacklist tokens. Mounted at `/api/token/…` by convention. */
import { LatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import { type JwtService, requireJwts } from '../jwt/jwt-service.js'
import { allowAny } from '../permissions/allow-any.js'
import type { LoginService } from '../users/login-service.js'
import { apiView } from '../views/api-view.js'
import { charField, type Fields, type FieldValues, validateFields } from '../views/fields.js'
import { formParser } from '../views/parsers/form.js'
import { jsonParser } from '../views/parsers/json.js'
import { multipartParser } from '../views/parsers/multipart.js'
import { response } from '../views/response.js'
import type { View, ViewPolicy } from '../views/view.js'

export interface JwtEndpointOptions
  extends Pick<ViewPolicy, 'permissions' | 'throttles' | 'parsers' | 'renderers' | 'maxBodyBytes'> {
  /** Keyword of the challenge: the first of AUTH_HEADER_TYPES. Default is `Bearer`. */
  readonly headerType?: string
}

export interface JwtLoginOptions extends JwtEndpointOptions {
  /** False: failed logins are not counted here. Default is true. */
  readonly throttleLogins?: boolean
  /** Further members of the answer: the `validate` of a `TokenObtainPairSerializer`. */
  readonly answer?: (user: User) => Readonly<Record<string, unknown>>
}

/** `POST {username, password}` -> `{"refresh": …, "access": …}`: simplejwt's `TokenObtainPairView`. */
export function tokenObtainPair(options: JwtLoginOptions = {}): View {
  return loginView('Token Obtain Pair', options, ({ jwts }, user) => jwts.issuePair(user))
}

/** `POST {username, password}` -> `{"token": …}`: simplejwt's `TokenObtainSlidingView`. */
export function tokenObtainSliding(options: JwtLoginOptions = {}): View {
  return loginView('Token Obtain Sliding', options, async ({ jwts }, user) => ({
    token: await jwts.issueSliding(user),
  }))
}

const REFRESH = { refresh: charField({ label: 'Refresh' }) }
const TOKEN = { token: charField({ label: 'Token' }) }

/** `POST {refresh}` -> `{"access": …}`, with rotation `{"access": …, "refresh": …}`: `TokenRefreshView`. */
export function tokenRefresh(options: JwtEndpointOptions = {}): View {
  const fields = { ...REFRESH, access: charField({ label: 'Access', readOnly: true }) }
  return tokenView('Token Refresh', options, fields, ({ jwts }, { refresh }) => jwts.refresh(refresh))
}

/** `POST {token}` -> `{"token": …}`: `TokenRefreshSlidingView`. */
export function tokenRefreshSliding(options: JwtEndpointOptions = {}): View {
  const answer = async ({ jwts }: JwtContext, { token }: FieldValues<typeof TOKEN>) => ({
    token: await jwts.refreshSliding(token),
  })
  return tokenView('Token Refresh Sliding', options, TOKEN, answer)
}

/**
 * `POST {token}` -> `{}` for a good token of any type: `TokenVerifyView`. A revoked one is refused always; simplejwt
 * does so only with BLACKLIST_AFTER_ROTATION, and then with this 400.
 */
export function tokenVerify(options: JwtEndpointOptions = {}): View {
  return tokenView('Token Verify', options, TOKEN, async ({ jwts }, { token }) => {
    try {
      await jwts.verify(token)
    } catch (error) {
      if (!(error instanceof LatchkeyError) || error.publicMessage !== 'Token is blacklisted') throw error
      throw new LatchkeyError('invalid', { fields: { non_field_errors: [error.publicMessage] } })
    }
    return {}
  })
}

/** `POST {refresh}` -> `{}`: that refresh token has ended. `TokenBlacklistView`. */
export function tokenBlacklist(options: JwtEndpointOptions = {}): View {
  return tokenView('Token Blacklist', options, REFRESH, async ({ jwts }, { refresh }) => {
    await jwts.blacklist(refresh)
    return {}
  })
}

interface JwtContext {
  readonly login: LoginService
  readonly jwts: JwtService
}

/** Both are trimmed: simplejwt's password field is, unlike that of `/api-token-auth/`. */
const CREDENTIALS = { username: charField({ label: 'Username' }), password: charField({ label: 'Password' }) }

function loginView(
  name: string,
  { throttleLogins = true, answer, ...options }: JwtLoginOptions,
  issue: (context: JwtContext, user: User) => Promise<object>,
): View {
  return tokenView(name, options, CREDENTIALS, async (context, credentials, address) => {
    const user = await context.login.login(
      { ...credentials, address },
      { updateLastLogin: context.jwts.options.updateLastLogin, throttle: throttleLogins },
    )
    if (user === null) {
      const message = 'No active account found with the given credentials'
      throw new LatchkeyError('authentication_failed', { message })
    }
    return { ...answer?.(user), ...(await issue(context, user)) }
  })
}

function tokenView<F extends Fields>(
  name: string,
  { headerType = 'Bearer', ...policy }: JwtEndpointOptions,
  fields: F,
  answer: (context: JwtContext, values: FieldValues<F>, address: string) => Promise<object>,
): View {
  return apiView({
    permissions: [allowAny],
    throttles: [],
    parsers: [jsonParser({ exactNumbers: true }), formParser(), multipartParser()],
    ...policy,
    authentication: [],
    challenge: `${headerType} realm="api"`,
    name,
    fields,
    carriesSecret: true,
    post: async (request, { login, jwts }) =>
      response(
        await answer(
          { login, jwts: requireJwts(jwts) },
          validateFields(fields, await request.data()),
          request.address,
        ),
      ),
  })
}

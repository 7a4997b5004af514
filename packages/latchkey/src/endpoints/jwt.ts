/** The endpoints of simplejwt: obtain, refresh, verify and blacklist tokens. Mounted at `/api/token/…` by convention. */
import type { ApiRequest } from '../api-request.js'
import { requireOwnOrigin } from '../authenticators/require-csrf.js'
import type { Clock } from '../clock.js'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import type { JwtOptions } from '../jwt/jwt-options.js'
import { noActiveAccount } from '../jwt/jwt-refusals.js'
import { type JwtIssueOptions, type JwtService, requireJwts } from '../jwt/jwt-service.js'
import { allowAny } from '../permissions/allow-any.js'
import type { SessionService } from '../sessions/session-service.js'
import type { LoginService } from '../users/login-service.js'
import { apiView } from '../views/api-view.js'
import { charField, type Fields, type FieldValues, validateFields } from '../views/fields.js'
import { formParser } from '../views/parsers/form.js'
import { jsonParser } from '../views/parsers/json.js'
import { multipartParser } from '../views/parsers/multipart.js'
import { type ApiResponse, response } from '../views/response.js'
import type { View, ViewPolicy } from '../views/view.js'
import { endCookies, isSecure, loggedIn, refreshCookies } from './jwt-cookies.js'

export interface JwtEndpointOptions
  extends Pick<ViewPolicy, 'permissions' | 'throttles' | 'parsers' | 'renderers' | 'maxBodyBytes'> {
  /** Keyword of the challenge: the first of AUTH_HEADER_TYPES. Default is `Bearer`. */
  readonly headerType?: string
}

/** For browsers: tokens travel in cookies that no script reads, and never in a body. */
export interface JwtCookieMode {
  /** Default is false. */
  readonly cookies?: boolean
}

/** `claims` and `answer` take the place of those of `createLatchkey({ jwt })`, for this route. */
export interface JwtLoginOptions extends JwtEndpointOptions, Pick<JwtOptions, 'claims' | 'answer'> {
  /** False: failed logins are not counted here. Default is true. */
  readonly throttleLogins?: boolean
}

/**
 * `POST {username, password}` -> `{"refresh": …, "access": …}`: simplejwt's `TokenObtainPairView`. With `cookies` both
 * are set as cookies, and only pages of this host may log in.
 */
export function tokenObtainPair({ cookies = false, ...options }: JwtLoginOptions & JwtCookieMode = {}): View {
  return loginView('Token Obtain Pair', options, {
    before: (request, context) => {
      if (cookies) requireOwnOrigin(request, { secure: isSecure(request, context) })
    },
    issue: ({ jwts }, user, how) => jwts.issuePair(user, how),
    answer: cookies ? loggedIn : inBody,
  })
}

/** `POST {username, password}` -> `{"token": …}`: simplejwt's `TokenObtainSlidingView`. */
export function tokenObtainSliding(options: JwtLoginOptions = {}): View {
  return loginView('Token Obtain Sliding', options, {
    issue: async ({ jwts }, user, how) => ({ token: await jwts.issueSliding(user, how) }),
    answer: inBody,
  })
}

const REFRESH = { refresh: charField({ label: 'Refresh' }) }
const TOKEN = { token: charField({ label: 'Token' }) }

/**
 * `POST {refresh}` -> `{"access": …}`, with rotation `{"access": …, "refresh": …}`: `TokenRefreshView`. With `cookies`
 * the token comes and goes by cookie, and the CSRF token is needed.
 */
export function tokenRefresh({ cookies = false, ...options }: JwtEndpointOptions & JwtCookieMode = {}): View {
  if (cookies) return cookieView('Token Refresh', options, refreshCookies)
  const fields = { ...REFRESH, access: charField({ label: 'Access', readOnly: true }) }
  return tokenView('Token Refresh', options, fields, ({ jwts }, { refresh }, { address }) =>
    jwts.refresh(refresh, { address }),
  )
}

/** `POST {token}` -> `{"token": …}`: `TokenRefreshSlidingView`. */
export function tokenRefreshSliding(options: JwtEndpointOptions = {}): View {
  return tokenView('Token Refresh Sliding', options, TOKEN, async ({ jwts }, { token }) => ({
    token: await jwts.refreshSliding(token),
  }))
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
      if (!isLatchkeyError(error) || error.publicMessage !== 'Token is blacklisted') throw error
      throw new LatchkeyError('invalid', { fields: { non_field_errors: [error.publicMessage] } })
    }
    return {}
  })
}

/**
 * `POST {refresh}` -> `{}`: that refresh token has ended. `TokenBlacklistView`. With `cookies` this is the logout: the
 * tokens of both cookies have ended, the cookies are gone, and the CSRF token is needed.
 */
export function tokenBlacklist({
  cookies = false,
  ...options
}: JwtEndpointOptions & JwtCookieMode = {}): View {
  if (cookies) return cookieView('Token Blacklist', options, endCookies)
  return tokenView('Token Blacklist', options, REFRESH, async ({ jwts }, { refresh }, { address }) => {
    await jwts.blacklist(refresh, { address })
    return {}
  })
}

interface JwtContext {
  readonly login: LoginService
  readonly jwts: JwtService
  readonly sessions: SessionService
  readonly clock: Clock
}

/** Both are trimmed: simplejwt's password field is, unlike that of `/api-token-auth/`. */
const CREDENTIALS = { username: charField({ label: 'Username' }), password: charField({ label: 'Password' }) }

interface LoginSteps<Tokens extends object> {
  readonly before?: (request: ApiRequest, context: JwtContext) => void
  readonly issue: (context: JwtContext, user: User, how: JwtIssueOptions) => Promise<Tokens>
  readonly answer: (context: JwtContext, tokens: Tokens, more: object) => ApiResponse
}

function loginView<Tokens extends object>(
  name: string,
  { throttleLogins = true, claims, answer, ...options }: JwtLoginOptions,
  steps: LoginSteps<Tokens>,
): View {
  return jwtView(name, options, CREDENTIALS, async (request, context) => {
    steps.before?.(request, context)
    const { address } = request
    const credentials = { ...validateFields(CREDENTIALS, await request.data()), address }
    const sinceMs = context.clock.nowMs()
    const user = await context.login.login(credentials, { throttle: throttleLogins })
    if (user === null) throw noActiveAccount('credentials')
    const tokens = await steps.issue(context, user, { address, sinceMs, ...(claims && { claims }) })
    const more = await (answer ?? context.jwts.options.answer)?.(user)
    return steps.answer(context, tokens, more ?? {})
  })
}

/** Further members stand behind the tokens, and cannot replace them. */
function inBody(_: JwtContext, tokens: object, more: object): ApiResponse {
  return response({ ...tokens, ...more, ...tokens })
}

function tokenView<F extends Fields>(
  name: string,
  options: JwtEndpointOptions,
  fields: F,
  answer: (context: JwtContext, values: FieldValues<F>, request: ApiRequest) => Promise<object>,
): View {
  return jwtView(name, options, fields, async (request, context) =>
    response(await answer(context, validateFields(fields, await request.data()), request)),
  )
}

function cookieView(
  name: string,
  options: JwtEndpointOptions,
  post: (request: ApiRequest, context: JwtContext) => Promise<ApiResponse>,
): View {
  return jwtView(name, options, undefined, post)
}

function jwtView(
  name: string,
  { headerType, ...policy }: JwtEndpointOptions,
  fields: Fields | undefined,
  post: (request: ApiRequest, context: JwtContext) => Promise<ApiResponse>,
): View {
  return apiView({
    permissions: [allowAny],
    parsers: [jsonParser({ exactNumbers: true }), formParser(), multipartParser()],
    ...policy,
    authentication: [],
    challenge: challengeOf({ headerType }),
    name,
    ...(fields && { fields }),
    carriesSecret: true,
    post: (request, { login, jwts, sessions, clock }) =>
      post(request, { login, jwts: requireJwts(jwts), sessions, clock }),
  })
}

function challengeOf({ headerType = 'Bearer' }: { readonly headerType?: string | undefined }): string {
  return `${headerType} realm="api"`
}

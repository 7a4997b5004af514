/** The system of django-rest-knox: many expiring tokens per user, with login, logout and logoutall. A policy and three views. */
import type { ApiRequest } from '../api-request.js'
import { AUTHENTICATORS, type Authenticator } from '../authenticators/authenticator.js'
import { basicAuthentication } from '../authenticators/basic.js'
import { tokenAuthentication } from '../authenticators/token.js'
import { isLatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import {
  ABOVE_0,
  BOOLEAN,
  checkOptions,
  FUNCTION,
  given,
  HTTP_TOKEN,
  numberRule,
  orNull,
  type Rules,
  rule,
} from '../options.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { strftime } from '../time/strftime.js'
import { isoText, timeZone } from '../time/zoned-time.js'
import type { Token } from '../tokens/token.js'
import { POLICY_NAME, TOKEN_POLICY_RULES, type TokenPolicy } from '../tokens/token-policy.js'
import type { TokenSecret } from '../tokens/token-secret.js'
import { apiView } from '../views/api-view.js'
import { response } from '../views/response.js'
import type { View } from '../views/view.js'

/** The settings of `REST_KNOX`, under these names, with its defaults. */
export interface KnoxOptions {
  /** Name of the token policy, for two such systems side by side. Default is `knox`. */
  readonly policyName?: string
  /** TOKEN_TTL, in seconds; null: for ever; zero or less: expired from the start. Default is 36,000 (10 hours). */
  readonly ttlSeconds?: number | null
  /** AUTH_TOKEN_CHARACTER_LENGTH: hex digits after the prefix; even, 32 at least. Default is 64. */
  readonly tokenLength?: number
  /** TOKEN_PREFIX: what tokens begin with, at most 10 characters. Default is none. */
  readonly tokenPrefix?: string
  /** TOKEN_LIMIT_PER_USER: live tokens, those that never expire not counted; null: any number. Default is null. */
  readonly limitPerUser?: number | null
  /** AUTO_REFRESH: true: a use makes the token live `ttlSeconds` from now on. Default is false. */
  readonly autoRefresh?: boolean
  /** MIN_REFRESH_INTERVAL: a use renews only if that adds more than this. Default is 60. */
  readonly minRefreshIntervalSeconds?: number
  /** AUTO_REFRESH_MAX_TTL: no renewal goes beyond this long after the login; null: any. Default is null. */
  readonly autoRefreshMaxTtlSeconds?: number | null
  /** AUTH_HEADER_PREFIX: the keyword and the challenge. Default is `Token`. */
  readonly headerPrefix?: string
  /** EXPIRY_DATETIME_FORMAT: `iso-8601`, or a format of Python's `strftime`. Default is `iso-8601`. */
  readonly expiryFormat?: string
  /** Django's TIME_ZONE: the IANA name of the zone in which `expiry` is written. Default is `UTC`. */
  readonly timeZone?: string
  /** USER_SERIALIZER: true adds `"user": {"username": …}` to a login, a function what it returns. Default is false. */
  readonly userInResponse?: boolean | ((user: User) => unknown)
  /** `get_post_response_data`: the whole answer to a login, in place of the usual one. */
  readonly loginResponse?: (login: KnoxLogin, request: ApiRequest) => unknown
  /** How a login proves who it is. Default is `[basicAuthentication()]`. */
  readonly loginAuthentication?: readonly Authenticator[]
}

/** What a login gave out. */
export interface KnoxLogin {
  readonly user: User
  readonly token: Token
  /** Shown here and never again. */
  readonly secret: TokenSecret
  /** When it ends, in `expiryFormat`; null: never. */
  readonly expiry: string | null
}

export interface Knox {
  /** For `createLatchkey({ policies: [knox.policy] })`. */
  readonly policy: TokenPolicy
  /** For routes and views: takes tokens of this policy. */
  readonly authentication: Authenticator
  /** `POST` with Basic credentials -> `{"expiry": …, "token": …}`; 403 `{"error": …}` at the limit. */
  readonly login: View
  /** `POST` with a token -> 204: that token has ended. */
  readonly logout: View
  /** `POST` with a token -> 204: all of the user's tokens of this policy have ended. */
  readonly logoutAll: View
}

/**
 * Builds the parts to register and to mount (`/api/auth/login/`, `/api/auth/logout/`, `/api/auth/logoutall/` by
 * convention). SECURE_HASH_ALGORITHM has no option: a token is found by the SHA-256 of the whole of it.
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function knox(options: KnoxOptions = {}): Knox {
  checkOptions('knox', options, RULES)
  const complete: Settings & KnoxOptions = { ...DEFAULTS, ...given(options) }
  const policy: TokenPolicy = Object.freeze({
    name: complete.policyName,
    prefix: complete.tokenPrefix,
    hexDigits: complete.tokenLength,
    format: null,
    onePerUser: false,
    shownAgain: false,
    ttlSeconds: complete.ttlSeconds,
    maxTtlSeconds: null,
    limitPerUser: complete.limitPerUser,
    renewal: complete.autoRefresh
      ? {
          minIntervalSeconds: complete.minRefreshIntervalSeconds,
          maxTtlSeconds: complete.autoRefreshMaxTtlSeconds,
        }
      : null,
    isKnownScope: null,
    tracksUse: false,
    ownerScopes: null,
  })
  const authentication = tokenAuthentication({ keyword: complete.headerPrefix, policies: [policy.name] })
  return Object.freeze({
    policy,
    authentication,
    login: loginView(policy, complete),
    logout: logoutView(policy, authentication),
    logoutAll: logoutAllView(policy, authentication),
  })
}

type Settings = Required<Omit<KnoxOptions, 'loginResponse' | 'loginAuthentication'>>

const DEFAULTS: Settings = Object.freeze({
  policyName: 'knox',
  ttlSeconds: 36_000,
  tokenLength: 64,
  tokenPrefix: '',
  limitPerUser: null,
  autoRefresh: false,
  minRefreshIntervalSeconds: 60,
  autoRefreshMaxTtlSeconds: null,
  headerPrefix: 'Token',
  expiryFormat: 'iso-8601',
  timeZone: 'UTC',
  userInResponse: false,
})

const isText = (value: unknown) => typeof value === 'string' && value !== ''

const RULES: Rules<KnoxOptions> = Object.freeze({
  policyName: POLICY_NAME,
  ttlSeconds: TOKEN_POLICY_RULES.ttlSeconds,
  tokenLength: TOKEN_POLICY_RULES.hexDigits,
  tokenPrefix: rule(
    'be at most 10 characters of printable ASCII without blanks',
    (value) => typeof value === 'string' && /^[\x21-\x7e]{0,10}$/.test(value),
  ),
  limitPerUser: TOKEN_POLICY_RULES.limitPerUser,
  autoRefresh: BOOLEAN,
  minRefreshIntervalSeconds: numberRule(0),
  autoRefreshMaxTtlSeconds: orNull(ABOVE_0),
  headerPrefix: HTTP_TOKEN,
  expiryFormat: rule("be 'iso-8601' or a strftime format", isText),
  // Whether there is such a zone is checked by who reads it.
  timeZone: rule('be the name of a time zone', isText),
  userInResponse: rule(
    'be true, false or a function',
    (value) => typeof value === 'boolean' || typeof value === 'function',
  ),
  loginResponse: FUNCTION,
  loginAuthentication: AUTHENTICATORS,
})

function loginView(policy: TokenPolicy, options: Settings & KnoxOptions): View {
  const { expiryFormat, userInResponse, loginResponse } = options
  const zone = timeZone(options.timeZone, 'timeZone')
  const expiryText = (expiresAt: Date) =>
    expiryFormat === 'iso-8601' ? isoText(zone(expiresAt)) : strftime(expiryFormat, zone(expiresAt))
  const userFields = async (user: User) => {
    if (userInResponse === false) return {}
    return { user: userInResponse === true ? { username: user.username } : await userInResponse(user) }
  }

  return apiView({
    authentication: options.loginAuthentication ?? [basicAuthentication()],
    permissions: [isAuthenticated],
    name: 'Login',
    carriesSecret: true,
    async post(request, { tokens, login }) {
      const { user } = request
      const issued = await tokens.issue({ user, policy: policy.name }).catch((error: unknown) => {
        if (!isLatchkeyError(error, 'token_limit_reached')) throw error
        return error
      })
      if (isLatchkeyError(issued)) return response({ error: issued.publicMessage }, { status: 403 })
      const { token, secret } = issued
      await login.noteLogin(user, token, request.address)
      const expiry = token.expiresAt === null ? null : expiryText(token.expiresAt)
      return loginResponse === undefined
        ? { expiry, token: secret.reveal(), ...(await userFields(user)) }
        : loginResponse({ user, token, secret, expiry }, request)
    },
  })
}

function logoutView({ name }: TokenPolicy, authentication: Authenticator): View {
  return apiView({
    authentication: [authentication],
    permissions: [isAuthenticated],
    name: 'Logout',
    description: 'Ends the token of this request.',
    async post(request, { tokens, login }) {
      // The one authenticator here gives tokens and nothing else.
      const token = request.auth as Token
      // Of two concurrent logouts both have logged out; it is told once.
      if (await tokens.revoke(token)) {
        login.noteLogout(request.user, { policy: name, hint: token.hint }, request.address)
      }
      return response(undefined, { status: 204 })
    },
  })
}

function logoutAllView({ name }: TokenPolicy, authentication: Authenticator): View {
  return apiView({
    authentication: [authentication],
    permissions: [isAuthenticated],
    name: 'Logout All',
    description: 'Ends all tokens of the user who asks.',
    async post({ user, address }, { tokens, login }) {
      await tokens.revokeAll({ user, policy: name })
      login.noteLogout(user, { policy: name, hint: null }, address)
      return response(undefined, { status: 204 })
    },
  })
}

/** What can be set about JWTs: simplejwt's `SIMPLE_JWT`, checked once when the Latchkey is created. */
import type { User } from '../identity.js'
import {
  ABOVE_0,
  BOOLEAN,
  checkOptions,
  FUNCTION,
  given,
  hasMember,
  listOf,
  numberRule,
  OPTIONS,
  oneOf,
  orNull,
  prototypeFree,
  type Rules,
  rule,
  TEXT,
  TEXTS,
} from '../options.js'
import { checkedJwksUrl } from './jwks-client.js'
import { completeJwtCookies, type JwtCookieOptions, type JwtCookies } from './jwt-cookies.js'
import type { SigningKey, VerifyingKey } from './signing-key.js'
import type { TokenUserOf } from './token-user.js'

/** What an app tells of a user: further members of something, by name. */
export type UserDetails = (
  user: User,
) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>

/** The kinds of token: `typ` of simplejwt's classes. */
export const JWT_TYPES = ['access', 'refresh', 'sliding'] as const
export type JwtType = (typeof JWT_TYPES)[number]

export interface JwtOptions {
  /** SIGNING_KEY and ALGORITHM: `signingKey({ algorithm: 'HS256', key: … })`. Required, unless `keys` or `jwksUrl` is there. */
  readonly signingKey?: SigningKey
  /** In place of `signingKey`: keys that rotate, kept in the store by `latchkey keys` or `latchkey.signingKeys`. */
  readonly keys?: 'store'
  /** How long a rotated key is published before it signs: as long as others may cache our keys. Default is 3,600. */
  readonly publishSeconds?: number
  /**
   * JWK_URL: tokens of the issuer that publishes its keys there are taken too, by their `kid`. Say with `audience`
   * whose they must be: an issuer signs for many.
   */
  readonly jwksUrl?: string
  /** VERIFYING_KEY: further keys whose tokens are taken, e.g. a retired one. Default is none. */
  readonly verifyingKeys?: readonly VerifyingKey[]
  /** ACCESS_TOKEN_LIFETIME. Default is 300. */
  readonly accessTtlSeconds?: number
  /** REFRESH_TOKEN_LIFETIME. Default is 86,400. */
  readonly refreshTtlSeconds?: number
  /**
   * How long after its login a family of refresh tokens ends, however often they are rotated; null: never, as in simplejwt.
   * Counted from the family's first token, which the store knows through every rotation; of a token that it does not know,
   * from `auth_time`, or else `iat`. Default is 7,776,000 (90 days), or `refreshTtlSeconds` where that is longer
   * (ASVS 5.0, 10.4.8).
   */
  readonly refreshAbsoluteTtlSeconds?: number | null
  /** SLIDING_TOKEN_LIFETIME. Default is 300. */
  readonly slidingTtlSeconds?: number
  /** SLIDING_TOKEN_REFRESH_LIFETIME. Default is 86,400. */
  readonly slidingRefreshTtlSeconds?: number
  /** ROTATE_REFRESH_TOKENS: a refresh gives a new refresh token too. Default is false. */
  readonly rotateRefresh?: boolean
  /**
   * BLACKLIST_AFTER_ROTATION: the old one ends then. Of concurrent refreshes with one token one wins, and reuse ends
   * the whole family. Default is false.
   */
  readonly blacklistAfterRotation?: boolean
  /**
   * How long after its rotation a refresh token is answered with the same successor again: lost answers and parallel
   * tabs log nobody out. Default is 10; 0 as in simplejwt.
   */
  readonly refreshGraceSeconds?: number
  /** UPDATE_LAST_LOGIN. Default is false. */
  readonly updateLastLogin?: boolean
  /** LEEWAY: tolerance for `exp`, `nbf` and `iat`, at most 60. Default is 0. */
  readonly leewaySeconds?: number
  /** AUDIENCE: put into `aud` of what is issued, and required of what comes. Default is none. */
  readonly audience?: string | readonly string[] | null
  /** ISSUER: the same for `iss`. Default is none. */
  readonly issuer?: string | null
  /** USER_ID_CLAIM. Default is `user_id`. */
  readonly userIdClaim?: string
  /** TOKEN_TYPE_CLAIM; null: types are not looked at. Default is `token_type`. */
  readonly tokenTypeClaim?: string | null
  /** JTI_CLAIM. Default is `jti`. */
  readonly jtiClaim?: string
  /** SLIDING_TOKEN_REFRESH_EXP_CLAIM. Default is `refresh_exp`. */
  readonly slidingRefreshExpClaim?: string
  /**
   * Further claims of what is issued at login: the `get_token` of a `TokenObtainPairSerializer`. They cannot replace
   * the claims above.
   */
  readonly claims?: UserDetails
  /** Further members of the answer to a login: its `validate`. They cannot replace the tokens. */
  readonly answer?: UserDetails
  /**
   * USER_AUTHENTICATION_RULE: who may log in and refresh, beside being active, which is always asked. Default is
   * everybody.
   */
  readonly userAuthenticationRule?: (user: User) => boolean | Promise<boolean>
  /** TOKEN_USER_CLASS: what claims say of the user in `jwtStatelessUserAuthentication`, beside simplejwt's three. */
  readonly tokenUser?: TokenUserOf
  /** Where CHECK_REVOKE_TOKEN leads: a new password ends all JWTs of the user at once. Default is true. */
  readonly revokeOnPasswordChange?: boolean
  /** Names and safety of the cookies, for endpoints and authenticators with `cookies: true`. */
  readonly cookies?: JwtCookieOptions
}

/** Options that stay away when they are not given. */
type Hooks = Pick<
  JwtOptions,
  'signingKey' | 'keys' | 'jwksUrl' | 'claims' | 'answer' | 'userAuthenticationRule' | 'tokenUser'
>

export type CompleteJwtOptions = Required<Omit<JwtOptions, keyof Hooks | 'cookies'>> &
  Hooks & { readonly cookies: JwtCookies }

/** @throws TypeError `jwt.<option>: …` for an option that cannot work */
export function completeJwtOptions(options: JwtOptions): CompleteJwtOptions {
  const own = checkOptions('createLatchkey', options, RULES, 'jwt.')
  const complete: CompleteJwtOptions = {
    verifyingKeys: [],
    publishSeconds: 3600,
    accessTtlSeconds: 300,
    refreshTtlSeconds: 86_400,
    refreshAbsoluteTtlSeconds: Math.max(90 * 86_400, own.refreshTtlSeconds ?? 0),
    slidingTtlSeconds: 300,
    slidingRefreshTtlSeconds: 86_400,
    rotateRefresh: false,
    blacklistAfterRotation: false,
    refreshGraceSeconds: 10,
    updateLastLogin: false,
    leewaySeconds: 0,
    audience: null,
    issuer: null,
    userIdClaim: 'user_id',
    tokenTypeClaim: 'token_type',
    jtiClaim: 'jti',
    slidingRefreshExpClaim: 'refresh_exp',
    revokeOnPasswordChange: true,
    ...given(own),
    cookies: completeJwtCookies(own.cookies),
  }
  checkKeys(own)
  if (complete.blacklistAfterRotation && !complete.rotateRefresh) {
    throw new TypeError('jwt.blacklistAfterRotation: does nothing without rotateRefresh')
  }
  return prototypeFree(complete)
}

function checkKeys({ signingKey, keys, jwksUrl, audience }: JwtOptions): void {
  if (signingKey !== undefined && keys !== undefined) {
    throw new TypeError('jwt.keys: takes the place of signingKey; a former one goes to verifyingKeys')
  }
  if (signingKey === undefined && keys === undefined && jwksUrl === undefined) {
    throw new TypeError("jwt.signingKey: is missing; or set keys to 'store', or jwksUrl")
  }
  if (jwksUrl === undefined) return
  checkedJwksUrl(jwksUrl)
  if (audience === undefined) {
    throw new TypeError('jwt.audience: with jwksUrl, say whose tokens are taken; null: anyone')
  }
}

/** As in security practice: clocks of nodes differ by a minute at most. */
export const MAX_CLOCK_DIFFERENCE_SECONDS = 60
/** A change of the leeway never makes a token good again that was revoked: records are kept for the longest. */
export const MAX_LEEWAY_SECONDS = 60

const TTL_SECONDS = numberRule(0, 315_576_000) // ten years
const CLAIM = rule('be the name of a claim', (value) => typeof value === 'string' && value !== '')
const VERIFYING_KEY = hasMember('verifyWith')

const RULES: Rules<JwtOptions> = Object.freeze({
  signingKey: rule('be what signingKey() returns', hasMember('signWith')),
  keys: oneOf('store'),
  publishSeconds: numberRule(0, 604_800),
  jwksUrl: TEXT,
  verifyingKeys: listOf('what verifyingKey() returns', VERIFYING_KEY),
  accessTtlSeconds: TTL_SECONDS,
  refreshTtlSeconds: TTL_SECONDS,
  refreshAbsoluteTtlSeconds: orNull(ABOVE_0),
  slidingTtlSeconds: TTL_SECONDS,
  slidingRefreshTtlSeconds: TTL_SECONDS,
  rotateRefresh: BOOLEAN,
  blacklistAfterRotation: BOOLEAN,
  refreshGraceSeconds: numberRule(0, 60),
  updateLastLogin: BOOLEAN,
  leewaySeconds: numberRule(0, MAX_LEEWAY_SECONDS),
  audience: orNull(rule('be a text or a list of texts', (value) => TEXT.holds(value) || TEXTS.holds(value))),
  issuer: orNull(TEXT),
  userIdClaim: CLAIM,
  tokenTypeClaim: orNull(CLAIM),
  jtiClaim: CLAIM,
  slidingRefreshExpClaim: CLAIM,
  claims: FUNCTION,
  answer: FUNCTION,
  userAuthenticationRule: FUNCTION,
  tokenUser: FUNCTION,
  revokeOnPasswordChange: BOOLEAN,
  cookies: OPTIONS,
})

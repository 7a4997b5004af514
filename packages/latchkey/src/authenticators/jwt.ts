/** `Authorization: Bearer <JWT>`, or its cookie: simplejwt's authenticators. They read; the JWT service decides. */
import { LatchkeyError } from '../errors.js'
import type { Identity } from '../identity.js'
import { JWT_TYPES, type JwtType } from '../jwt/jwt-options.js'
import type { JwtClaims } from '../jwt/jwt-payloads.js'
import { requireJwts } from '../jwt/jwt-service.js'
import type { JwtUserOrigin } from '../jwt/jwt-verifier.js'
import { BOOLEAN, checkOptions, HTTP_TOKEN, oneOf, type Rules, someOf } from '../options.js'
import { SAFE_METHODS } from '../request.js'
import type { Services } from '../services.js'
import type { Authenticator, CredentialRequest } from './authenticator.js'
import { REALM, splitAuthorization } from './authorization-header.js'
import type { KeywordClaim } from './keyword-claim.js'
import { requireCsrf } from './require-csrf.js'
import type { SecretKind } from './token.js'

export interface JwtAuthenticationOptions {
  /** AUTH_HEADER_TYPES: accepted keywords, with their case; the first one is the challenge. Default is `['Bearer']`. */
  readonly headerTypes?: readonly [string, ...string[]]
  /** AUTH_HEADER_NAME: the header with keyword and token. Default is `Authorization`. */
  readonly header?: string
  /** AUTH_TOKEN_CLASSES: types that are accepted, tried in this order. Default is `['access']`. */
  readonly tokenTypes?: readonly [JwtType, ...JwtType[]]
  /** Shown in the challenge. Default is simplejwt's `api`. */
  readonly realm?: string
  /**
   * True: a request without that header may bring the token in the cookie that `tokenObtainPair({ cookies: true })` set.
   * What changes something then needs the CSRF token. Where there is a header, it decides alone. Default is false.
   */
  readonly cookies?: boolean
}

/** Needs `createLatchkey({ jwt })`. `request.auth` is the token's claims. */
export function jwtAuthentication(options: JwtAuthenticationOptions = {}): Authenticator {
  return authenticator('JWTAuthentication', 'stored', options)
}

/**
 * simplejwt's `JWTStatelessUserAuthentication`: `request.user` is whom the claims describe (`username`, `is_staff`,
 * `is_superuser`, and what `jwt.tokenUser` adds), and no user is looked up. What that gives up: a user who was
 * deactivated, renamed, deleted or lost a role is let in as before until the token expires. What still holds: tokens that
 * were revoked, alone or with everything of their user, are refused at once where the store is the issuer's.
 */
export function jwtStatelessUserAuthentication(options: JwtAuthenticationOptions = {}): Authenticator {
  return authenticator('JWTStatelessUserAuthentication', 'claimed', options)
}

function authenticator(
  name: string,
  origin: JwtUserOrigin,
  options: JwtAuthenticationOptions,
): Authenticator {
  const own = checkOptions(name, options, RULES)
  const { headerTypes = ['Bearer'], tokenTypes = ['access'], realm = 'api', cookies = false } = own
  const keywords = new Set(headerTypes)
  const { header: headerName = 'Authorization' } = own
  const header = headerName.toLowerCase()

  return Object.freeze({
    name,
    challenge: `${headerTypes[0]} realm="${realm}"`,
    ...(header === 'authorization' && { keywordClaim: jwtClaim(headerTypes, tokenTypes, cookies) }),
    authenticate(request, services) {
      if (cookies) request.varyOn('Cookie')
      // Caches know by themselves that Authorization counts (RFC 9111, 3.5).
      if (header !== 'authorization') request.varyOn(headerName)
      if (cookies && request.header(header) === undefined) {
        return fromCookie(request, services, tokenTypes, origin)
      }
      const [keyword, token, ...rest] = splitAuthorization(request, header)
      if (keyword === undefined || !keywords.has(keyword)) return null
      if (token === undefined || rest.length > 0) {
        throw new LatchkeyError('authentication_failed', {
          message: 'Authorization header must contain two space-delimited values',
          extra: { code: 'bad_authorization_header' },
        })
      }
      return requireJwts(services.jwts).authenticate(token, tokenTypes, origin)
    },
  } satisfies Authenticator)
}

function jwtClaim(
  keywords: readonly string[],
  types: readonly JwtType[],
  isElsewhere: boolean,
): KeywordClaim {
  return Object.freeze({
    keywords: Object.freeze([...keywords]),
    hasCase: true,
    recognises: (secret: string) => COMPACT_SHAPE.test(secret),
    sample: 'a.b.c',
    policies: null,
    isElsewhere,
    advice: `jwtAuthentication({ tokenTypes: ['${types.join("', '")}', …] }), or tokenAuthentication({ keyword: '${keywords[0]}', policies: […], kinds: [jwtKind()] })`,
  })
}

const TOKEN_TYPES = someOf(`types (${JWT_TYPES.join(', ')})`, oneOf(...JWT_TYPES).holds)

const RULES: Rules<JwtAuthenticationOptions> = Object.freeze({
  headerTypes: someOf('keywords, each one word as HTTP has them', HTTP_TOKEN.holds),
  header: HTTP_TOKEN,
  tokenTypes: TOKEN_TYPES,
  realm: REALM,
  cookies: BOOLEAN,
})

function fromCookie(
  request: CredentialRequest,
  services: Services,
  tokenTypes: readonly JwtType[],
  origin: JwtUserOrigin,
): Identity<JwtClaims> | Promise<Identity<JwtClaims>> | null {
  const jwts = requireJwts(services.jwts)
  const { accessName, secure } = jwts.options.cookies
  const token = request.cookie(accessName) ?? ''
  if (token === '') return null
  const identity = jwts.authenticate(token, tokenTypes, origin)
  if (SAFE_METHODS.has(request.method)) return identity
  const { sessions } = services
  return Promise.resolve(identity).then(async (known) => {
    await requireCsrf(request, { sessions, secure: secure || request.secure, formField: 'last' })
    return known
  })
}

/**
 * JWTs behind another authenticator's keyword, told apart by their three segments:
 * `tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'knox'], kinds: [jwtKind()] })` takes all three
 * systems side by side, so that a project moves from one to the next and nobody logs in again.
 */
export function jwtKind(options: Pick<JwtAuthenticationOptions, 'tokenTypes'> = {}): SecretKind {
  const { tokenTypes = ['access'] } = checkOptions('jwtKind', options, { tokenTypes: TOKEN_TYPES })
  return Object.freeze({
    recognises: (secret) => COMPACT_SHAPE.test(secret),
    verify: (secret, { jwts }) => requireJwts(jwts).authenticate(secret, tokenTypes),
  } satisfies SecretKind)
}

/** No opaque token of ours has a dot; whether the segments are good is the JWT service's to say. */
const COMPACT_SHAPE = /^[^.]+\.[^.]+\.[^.]+$/

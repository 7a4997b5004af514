/** `Authorization: Bearer <JWT>`: simplejwt's `JWTAuthentication`. Reads the header; the JWT service decides. */
import { LatchkeyError } from '../errors.js'
import type { JwtType } from '../jwt/jwt-options.js'
import { requireJwts } from '../jwt/jwt-service.js'
import type { Authenticator } from './authenticator.js'
import { splitAuthorization } from './authorization-header.js'
import type { SecretKind } from './token.js'

export interface JwtAuthenticationOptions {
  /** AUTH_HEADER_TYPES: accepted keywords, with their case; the first one is the challenge. Default is `['Bearer']`. */
  readonly headerTypes?: readonly [string, ...string[]]
  /** AUTH_TOKEN_CLASSES: types that are accepted, tried in this order. Default is `['access']`. */
  readonly tokenTypes?: readonly [JwtType, ...JwtType[]]
  /** Shown in the challenge. Default is simplejwt's `api`. */
  readonly realm?: string
}

/** Needs `createLatchkey({ jwt })`. `request.auth` is the token's claims. */
export function jwtAuthentication(options: JwtAuthenticationOptions = {}): Authenticator {
  const { headerTypes = ['Bearer'], tokenTypes = ['access'], realm = 'api' } = options
  const keywords = new Set(headerTypes)

  return Object.freeze({
    name: 'JWTAuthentication',
    challenge: `${headerTypes[0]} realm="${realm}"`,
    authenticate(request, { jwts }) {
      const [keyword, token, ...rest] = splitAuthorization(request)
      if (keyword === undefined || !keywords.has(keyword)) return null
      if (token === undefined || rest.length > 0) {
        throw new LatchkeyError('authentication_failed', {
          message: 'Authorization header must contain two space-delimited values',
          extra: { code: 'bad_authorization_header' },
        })
      }
      return requireJwts(jwts).authenticate(token, tokenTypes)
    },
  } satisfies Authenticator)
}

/**
 * JWTs behind another authenticator's keyword, told apart by their three segments:
 * `tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'knox'], kinds: [jwtKind()] })` takes all three
 * systems side by side, so that a project moves from one to the next and nobody logs in again.
 */
export function jwtKind(options: Pick<JwtAuthenticationOptions, 'tokenTypes'> = {}): SecretKind {
  const { tokenTypes = ['access'] } = options
  return Object.freeze({
    recognises: (secret) => COMPACT_SHAPE.test(secret),
    verify: (secret, { jwts }) => requireJwts(jwts).authenticate(secret, tokenTypes),
  } satisfies SecretKind)
}

/** No opaque token of ours has a dot; whether the segments are good is the JWT service's to say. */
const COMPACT_SHAPE = /^[^.]+\.[^.]+\.[^.]+$/

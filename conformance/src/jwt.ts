/** The JWT part of the recorded servers: simplejwt's settings and routes. */
import { path, type UrlPattern } from '@latchkey/server'
import {
  allowAny,
  apiView,
  isAuthenticated,
  type JwtOptions,
  jwtAuthentication,
  signingKey,
  tokenBlacklist,
  tokenObtainPair,
  tokenObtainSliding,
  tokenRefresh,
  tokenRefreshSliding,
  tokenVerify,
} from 'latchkey'
import { settings } from './settings.js'

/** Without a grace, as in simplejwt: a second use is refused at once. And without CHECK_REVOKE_TOKEN, its default. */
export const jwtOptions = (key: string): JwtOptions => ({
  signingKey: signingKey({ algorithm: settings.jwtAlgorithm, key }),
  accessTtlSeconds: settings.jwtAccessSeconds,
  refreshTtlSeconds: settings.jwtRefreshSeconds,
  slidingTtlSeconds: settings.jwtSlidingSeconds,
  slidingRefreshTtlSeconds: settings.jwtSlidingRefreshSeconds,
  rotateRefresh: settings.rotateRefresh,
  blacklistAfterRotation: settings.blacklistAfterRotation,
  refreshGraceSeconds: 0,
  revokeOnPasswordChange: false,
  leewaySeconds: settings.jwtLeewaySeconds,
  audience: settings.jwtAudience,
  issuer: settings.jwtIssuer,
})

const [headerType] = settings.jwtHeaderTypes
const authentication = [
  jwtAuthentication({ headerTypes: settings.jwtHeaderTypes, tokenTypes: settings.jwtAuthTokenTypes }),
]
const login = { headerType, throttleLogins: false }

export const jwtUrls: readonly UrlPattern[] = [
  path(
    '/hello-jwt/',
    apiView({ authentication, permissions: [isAuthenticated], get: () => ({ message: 'Hello, World!' }) }),
  ),
  path(
    '/whoami-jwt/',
    apiView({
      authentication,
      permissions: [allowAny],
      get: (request) => ({ user: request.user?.username ?? null }),
    }),
  ),
  path('/api/token/', tokenObtainPair(login)),
  path('/api/token/refresh/', tokenRefresh({ headerType })),
  path('/api/token/verify/', tokenVerify({ headerType })),
  path('/api/token/blacklist/', tokenBlacklist({ headerType })),
  path('/api/token/sliding/', tokenObtainSliding(login)),
  path('/api/token/sliding/refresh/', tokenRefreshSliding({ headerType })),
]

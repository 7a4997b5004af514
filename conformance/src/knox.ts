/** The knox part of the recorded servers: its settings and routes. */
import { path, type UrlPattern } from '@latchkey/server'
import { allowAny, apiView, basicAuthentication, isAuthenticated, knox } from 'latchkey'
import { settings } from './settings.js'

const { policy, authentication, login, logout, logoutAll } = knox({
  ttlSeconds: settings.knoxTtlSeconds,
  tokenLength: settings.knoxTokenLength,
  tokenPrefix: settings.knoxTokenPrefix,
  limitPerUser: settings.knoxTokenLimit,
  autoRefresh: settings.knoxAutoRefresh,
  minRefreshIntervalSeconds: settings.knoxMinRefreshIntervalSeconds,
  autoRefreshMaxTtlSeconds: settings.knoxAutoRefreshMaxTtlSeconds,
  headerPrefix: settings.knoxHeaderPrefix,
  expiryFormat: settings.knoxExpiryFormat,
  timeZone: settings.timeZone,
  userInResponse: settings.knoxUserInResponse,
  loginAuthentication: [basicAuthentication({ throttle: false })],
})

export const knoxPolicy = policy

export const knoxUrls: readonly UrlPattern[] = [
  path(
    '/hello-knox/',
    apiView({
      authentication: [authentication],
      permissions: [isAuthenticated],
      get: () => ({ message: 'Hello, World!' }),
    }),
  ),
  path(
    '/whoami-knox/',
    apiView({
      authentication: [authentication],
      permissions: [allowAny],
      get: (request) => ({ user: request.user?.username ?? null }),
    }),
  ),
  path('/api/auth/login/', login),
  path('/api/auth/logout/', logout),
  path('/api/auth/logoutall/', logoutAll),
]

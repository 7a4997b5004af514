/** The routes that every target serves, one per way to authenticate, and the credential that opens each: at its own place only. */
import {
  apiView,
  basicAuthentication,
  isAdminUser,
  isAuthenticated,
  jwtAuthentication,
  jwtKind,
  jwtStatelessUserAuthentication,
  permission,
  remoteUserAuthentication,
  sessionAuthentication,
  tokenAuthentication,
  tokenObtainPair,
  tokenRefresh,
  tokenVerify,
} from 'latchkey'
import { KNOX, PERSONAL } from './world.mjs'

/** What a handler answers; an answer that contains it has reached one. @param {{ username: string } | null} user */
export const reachedText = (user) => `REACHED:${user?.username ?? 'nobody'};`
export const REACHED = /REACHED:([^;]*);/g

/** As an app writes it that keeps a part of its paths for its staff. */
const staffOnlyBelowInternal = permission(
  'StaffOnlyBelowInternal',
  ({ user }, { path }) => user !== null && (!/^\/internal\b/i.test(path) || user.isStaff),
)

/**
 * `opens`: kind of credential -> where it has to be; all else is refused.
 * @type {ReadonlyArray<{ path: string, authentication: readonly import('latchkey').Authenticator[],
 *   permissions: readonly import('latchkey').Permission[], opens: Readonly<Record<string, readonly string[]>> }>}
 */
export const ROUTES = Object.freeze([
  route('/authtoken/', [tokenAuthentication()], { authtoken: ['Token'], admin: ['Token'] }),
  route('/knox/', [KNOX.authentication], { knox: ['Token'] }),
  route('/personal/', [PERSONAL.authentication], { personal: ['Bearer'], local: ['Bearer'] }),
  route('/jwt/', [jwtAuthentication()], { access: ['Bearer'] }),
  route('/stateless/', [jwtStatelessUserAuthentication()], { access: ['Bearer'] }),
  route('/sliding/', [jwtAuthentication({ tokenTypes: ['sliding'] })], { sliding: ['Bearer'] }),
  route('/jwt-cookie/', [jwtAuthentication({ cookies: true })], {
    access: ['Bearer', 'cookie __Host-jwt_access'],
  }),
  route('/session/', [sessionAuthentication()], { session: ['cookie sessionid'] }),
  route('/basic/', [basicAuthentication()], { basic: ['Basic'] }),
  route('/remote/', [remoteUserAuthentication({ trustedProxies: ['203.0.113.1'] })], {}),
  route(
    '/kinds/',
    [tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'knox'], kinds: [jwtKind()] })],
    { authtoken: ['Bearer'], admin: ['Bearer'], knox: ['Bearer'], access: ['Bearer'] },
  ),
  route('/admin/', [tokenAuthentication()], { admin: ['Token'] }, [isAdminUser]),
  route('/internal/', [tokenAuthentication()], { admin: ['Token'] }, [staffOnlyBelowInternal]),
])

function route(path, authentication, opens, permissions = [isAuthenticated]) {
  return Object.freeze({ path, authentication, permissions, opens })
}

const answer = (request) => ({ reached: reachedText(request.user) })

/** The route as a view, for targets that serve views. */
export function viewOf({ authentication, permissions }) {
  return apiView({ authentication, permissions, get: answer, post: answer, put: answer, delete: answer })
}

/** Views that give tokens out. `/api-token-auth/` is an endpoint of every Latchkey. */
export const LOGIN_VIEWS = Object.freeze({
  '/api/token/': tokenObtainPair(),
  '/api/token/refresh/': tokenRefresh(),
  '/api/token/verify/': tokenVerify(),
  '/api/auth/login/': KNOX.login,
})

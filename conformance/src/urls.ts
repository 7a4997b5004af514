/** The routes that the recorded servers had, out of Latchkey's public parts. */
import { path, type UrlPattern } from '@latchkey/server'
import {
  type ApiRequest,
  type Authenticator,
  allowAny,
  apiView,
  basicAuthentication,
  formParser,
  type Identity,
  isAdminUser,
  isAuthenticated,
  isAuthenticatedOrReadOnly,
  jsonParser,
  multipartParser,
  obtainAuthToken,
  type Services,
  sessionAuthentication,
  type Token,
  tokenAuthentication,
} from 'latchkey'
import { jwtUrls } from './jwt.js'
import { knoxUrls } from './knox.js'

const token = tokenAuthentication()
const basic = basicAuthentication({ throttle: false })
const session = sessionAuthentication()

// The recorded server echoes numbers as Python writes them.
const parsers = [jsonParser({ exactNumbers: true }), formParser(), multipartParser()]

const hello = () => ({ message: 'Hello, World!' })
const get = (request: ApiRequest<Identity>) => ({ user: request.user?.username ?? null })
const post = async (request: ApiRequest<Identity>) => ({
  user: request.user?.username ?? null,
  data: await request.data(),
})

/** The tokens of `/api-token-auth/` can be shown again, so the caller's own one can be revealed to the caller. */
async function whoami(request: ApiRequest<Identity>, { tokens }: Services) {
  const auth = request.auth as Token | null
  return {
    user: request.user?.username ?? null,
    auth: auth === null ? null : (await tokens.reveal(auth)).reveal(),
  }
}

const helloFor = (...authentication: readonly Authenticator[]) =>
  apiView({ authentication, permissions: [isAuthenticated], name: 'Hello', get: hello })

export const urlpatterns: readonly UrlPattern[] = [
  path('/hello/', helloFor(token), { formatSuffixes: true }),
  path('/hello-bearer/', helloFor(tokenAuthentication({ keyword: 'Bearer' }))),
  path('/hello-session/', helloFor(session, basic)),
  path('/hello-basic/', helloFor(basic)),
  path('/hello-any/', helloFor(token, basic, session)),
  path('/admin-only/', apiView({ authentication: [token], permissions: [isAdminUser], get: hello })),
  path(
    '/read-only/',
    apiView({ authentication: [token], permissions: [isAuthenticatedOrReadOnly], parsers, get, post }),
  ),
  path(
    '/echo-session/',
    apiView({ authentication: [session], permissions: [isAuthenticated], parsers, get, post }),
  ),
  path('/whoami/', apiView({ authentication: [token], permissions: [allowAny], get: whoami })),
  ...jwtUrls,
  ...knoxUrls,
  path('/api-token-auth/', obtainAuthToken({ authentication: [session, basic], throttleLogins: false })),
]

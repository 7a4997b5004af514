/** One Latchkey per authenticator on a shared store, and the credentials that are presented to them. */
import { createHmac } from 'node:crypto'
import type { Authenticator, Latchkey, Permission, Store, User } from 'latchkey'
import { AUTHENTICATORS, type AuthenticatorName, CREDENTIALS, USERS } from '../plan.js'
import type { Kit } from './kit.js'

export interface App {
  readonly latchkeys: ReadonlyMap<AuthenticatorName, Latchkey>
  readonly permissions: Readonly<Record<string, readonly Permission[] | undefined>>
  /** Name of a credential -> header lines. */
  readonly headers: ReadonlyMap<string, ReadonlyArray<readonly [string, string]>>
  readonly ids: ReadonlyMap<string, User['id']>
}

export interface AppOptions {
  readonly store: Store
  readonly cacheEntries: number
  readonly log: (line: string) => void
}

const SECRET = 'a secret of at least thirty-two characters'
const PASSWORD = 'open sesame 1'
const DAY_SECONDS = 86_400

export async function createApp(kit: Kit, { store, cacheEntries, log }: AppOptions): Promise<App> {
  const knox = kit.knox()
  const personal = kit.personalTokens()
  const shared = {
    store,
    secret: SECRET,
    cacheEntries,
    loginRate: null,
    policies: [knox.policy, personal.policy],
    passwords: { preferred: kit.argon2id({ memoryKib: 512, passes: 1 }) },
    onError: (error: unknown, { path }: { path: string }) => log(`${path} ${String(error)}`),
  }
  const jwt = {
    signingKey: kit.signingKey({ algorithm: 'HS256', key: SECRET }),
    accessTtlSeconds: DAY_SECONDS,
    claims: ({ username }: User) => ({ username }),
  } as const
  const authenticators = authenticatorsOf(kit, knox.authentication, personal.authentication)
  const latchkeys = new Map<AuthenticatorName, Latchkey>()
  for (const name of AUTHENTICATORS) {
    latchkeys.set(name, kit.createLatchkey({ ...shared, jwt, authentication: authenticators[name] }))
  }
  const app = { latchkeys, permissions: permissionsOf(kit) }
  const past = kit.createLatchkey({
    ...shared,
    jwt,
    clock: kit.fixedClock(Date.now() - 40 * DAY_SECONDS * 1000),
  })
  const now = latchkeys.get('token')
  if (now === undefined) throw new Error('token: is not in the list of authenticators')
  return { ...app, ...(await credentialsOf(kit, { now, past, latchkeys, isHot: cacheEntries > 0 })) }
}

function authenticatorsOf(
  kit: Kit,
  knox: Authenticator,
  personal: Authenticator,
): Readonly<Record<AuthenticatorName, readonly Authenticator[]>> {
  const own = (isLater: boolean): Authenticator => ({
    name: 'own',
    challenge: 'Own',
    authenticate(request, { userSource }) {
      const username = request.header('x-own')
      if (username === undefined) return null
      const find = async () => {
        const record = await userSource.findByUsername(username)
        if (record === null) return null
        const { passwordHash: _, passwordVersion: __, ...user } = record
        known.set(username, user)
        return { user, auth: null }
      }
      const user = known.get(username)
      return isLater || user === undefined ? find() : { user, auth: null }
    },
  })
  const known = new Map<string, User>()
  const trusting = (proxy: string) => [kit.remoteUserAuthentication({ trustedProxies: [proxy] })]
  return {
    token: [kit.tokenAuthentication()],
    knox: [knox],
    personal: [personal],
    'token or personal': [kit.tokenAuthentication(), personal],
    jwt: [kit.jwtAuthentication()],
    'jwt cookie': [kit.jwtAuthentication({ cookies: true })],
    'stateless jwt': [kit.jwtStatelessUserAuthentication()],
    basic: [kit.basicAuthentication()],
    session: [kit.sessionAuthentication()],
    'remote user': trusting('127.0.0.1'),
    'remote user elsewhere': trusting('10.0.0.1'),
    'three kinds': [
      kit.tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'knox'], kinds: [kit.jwtKind()] }),
    ],
    own: [own(false)],
    'own, later': [own(true)],
  }
}

function permissionsOf(kit: Kit): App['permissions'] {
  const { isAuthenticated, isAdminUser, isAuthenticatedOrReadOnly, hasScope, all, any, not } = kit
  const mayRead = hasScope('orders:read')
  return {
    isAuthenticated: [isAuthenticated],
    isAdminUser: [isAdminUser],
    hasScope: [mayRead],
    isAuthenticatedOrReadOnly: [isAuthenticatedOrReadOnly],
    'all(isAuthenticated, hasScope)': [all(isAuthenticated, mayRead)],
    'all(isAdminUser, hasScope)': [all(isAdminUser, mayRead)],
    'any(isAdminUser, hasScope)': [any(isAdminUser, mayRead)],
    'not(isAdminUser)': [not(isAdminUser)],
    'not(not(isAuthenticated))': [not(not(isAuthenticated))],
    'not(isAuthenticated)': [not(isAuthenticated)],
    own: [kit.permission('IsAlice', ({ user }) => user?.username === 'alice')],
    default: undefined,
  }
}

interface Issuers {
  readonly now: Latchkey
  readonly past: Latchkey
  readonly latchkeys: App['latchkeys']
  readonly isHot: boolean
}

async function credentialsOf(kit: Kit, { now, past, latchkeys, isHot }: Issuers) {
  const ids = new Map<string, User['id']>()
  const users = new Map<string, User>()
  for (const username of ['first', ...Object.keys(USERS), 'expired', 'revoked']) {
    const flags = username === 'staff' ? { isStaff: true } : {}
    const user = await now.users.create({ username, password: PASSWORD, ...flags })
    users.set(username, user)
    ids.set(username, user.id)
  }
  const userOf = (username: string): User => {
    const user = users.get(username)
    if (user === undefined) throw new Error(`${username}: was not created`)
    return user
  }
  const headers = new Map<string, ReadonlyArray<readonly [string, string]>>()
  const put = (name: string, ...lines: ReadonlyArray<readonly [string, string]>) => headers.set(name, lines)
  const authorization = (name: string, value: string) => put(name, ['authorization', value])
  const issue = async (issuer: Latchkey, username: string, policy: string, more = {}) => {
    const { secret, token } = await issuer.tokens.issue({ user: userOf(username), policy, ...more })
    return { text: secret.reveal(), token }
  }
  const ends: Array<() => Promise<unknown>> = []

  put('nothing')
  for (const username of ['alice', 'bob', 'staff', 'gone', 'expired', 'revoked']) {
    const isExpired = username === 'expired'
    const more = isExpired ? { ttlSeconds: 60 } : {}
    const { text, token } = await issue(isExpired ? past : now, username, 'authtoken', more)
    const name =
      username === 'expired' || username === 'revoked' ? `${username} token` : `token of ${username}`
    authorization(name, `Token ${text}`)
    if (username === 'revoked') ends.push(() => now.tokens.revoke(token))
    if (username === 'alice') {
      put('token twice', ['authorization', `Token ${text}`], ['authorization', `Token ${'0'.repeat(40)}`])
      authorization('token under Bearer', `Bearer ${text}`)
    }
  }
  authorization('unknown token', `Token ${'0123456789'.repeat(4)}`)

  for (const username of ['alice', 'bob', 'gone']) {
    authorization(`knox of ${username}`, `Token ${(await issue(now, username, 'knox')).text}`)
  }
  authorization('expired knox', `Token ${(await issue(past, 'alice', 'knox')).text}`)
  const revokedKnox = await issue(now, 'alice', 'knox')
  authorization('revoked knox', `Token ${revokedKnox.text}`)
  ends.push(() => now.tokens.revoke(revokedKnox.token))

  const personal = async (name: string, issuer: Latchkey, username: string, more: object) => {
    const { text, token } = await issue(issuer, username, 'personal', more)
    authorization(name, `Bearer ${text}`)
    return token
  }
  await personal('personal of alice', now, 'alice', {})
  await personal('personal with orders:read', now, 'alice', { scopes: ['orders:read'] })
  await personal('personal with orders:write', now, 'alice', { scopes: ['orders:write'] })
  await personal('personal without scopes', now, 'alice', { scopes: [] })
  await personal('personal from elsewhere', now, 'alice', { allowedAddresses: ['192.0.2.0/24'] })
  await personal('expired personal', past, 'alice', { ttlSeconds: 60 })
  await personal('personal of gone', now, 'gone', {})
  const revokedPersonal = await personal('revoked personal', now, 'alice', {})
  ends.push(() => now.tokens.revoke(revokedPersonal))

  const jwtsOf = (latchkey: Latchkey) => {
    if (latchkey.jwts === null) throw new Error('jwts: are not configured')
    return latchkey.jwts
  }
  for (const username of ['alice', 'bob', 'gone']) {
    const { access, refresh } = await jwtsOf(now).issuePair(userOf(username))
    authorization(`jwt of ${username}`, `Bearer ${access}`)
    put(`jwt cookie of ${username}`, ['cookie', `__Host-jwt_access=${access}`])
    if (username === 'alice') {
      authorization('refresh jwt', `Bearer ${refresh}`)
      const [, payload = ''] = access.split('.')
      const signed = `${base64({ alg: 'HS256', typ: 'JWT' })}.${payload}`
      const forged = `${signed}.${createHmac('sha256', 'another secret').update(signed).digest('base64url')}`
      authorization('forged jwt', `Bearer ${forged}`)
      put('forged jwt cookie', ['cookie', `__Host-jwt_access=${forged}`])
      authorization('unsigned jwt', `Bearer ${base64({ alg: 'none', typ: 'JWT' })}.${payload}.`)
    }
  }
  authorization('expired jwt', `Bearer ${(await jwtsOf(past).issuePair(userOf('alice'))).access}`)
  const { access: revokedJwt } = await jwtsOf(now).issuePair(userOf('alice'))
  authorization('revoked jwt', `Bearer ${revokedJwt}`)
  const revokedClaims = await jwtsOf(now).verify(revokedJwt)
  ends.push(() => jwtsOf(now).revoke(revokedClaims))

  const basic = (name: string, username: string, password: string) =>
    authorization(name, `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
  basic('password of alice', 'alice', PASSWORD)
  basic('wrong password', 'alice', 'open sesame 2')
  basic('password of nobody', 'nobody', PASSWORD)
  basic('password of gone', 'gone', PASSWORD)

  const session = async (name: string, issuer: Latchkey, username: string) => {
    const secret = (await issuer.sessions.start(userOf(username))).secret.reveal()
    put(name, ['cookie', `sessionid=${secret}`])
    return secret
  }
  await session('session of alice', now, 'alice')
  await session('session of bob', now, 'bob')
  await session('session of gone', now, 'gone')
  await session('expired session', past, 'alice')
  const ended = await session('ended session', now, 'alice')
  ends.push(() => now.sessions.end(ended))
  put('unknown session', ['cookie', `sessionid=${'0'.repeat(64)}`])

  for (const username of ['alice', 'nobody', 'gone']) {
    put(`remote user ${username}`, ['remote-user', username])
  }
  for (const username of ['alice', 'bob', 'nobody']) put(`own of ${username}`, ['x-own', username])

  if (isHot) await present(kit, latchkeys, headers)
  for (const end of ends) await end()
  await now.users.deactivate(userOf('gone'))
  return { ids, headers }
}

/** Everything that is good before rights are narrowed is in the caches then. */
async function present(kit: Kit, latchkeys: App['latchkeys'], headers: App['headers']): Promise<void> {
  for (const [name, latchkey] of latchkeys) {
    const gate = latchkey.gate([kit.isAuthenticated])
    for (const one of CREDENTIALS) {
      if (one.name === 'token twice') continue
      const lines = headers.get(one.name) ?? []
      // Expensive, and in no cache.
      if (name === 'basic' && !one.takenBy.includes('basic')) continue
      await gate(kit.fakeRequest({ headers: Object.fromEntries(lines) }))
    }
  }
}

function base64(header: { readonly alg: string; readonly typ: string }): string {
  return Buffer.from(`{"alg":"${header.alg}","typ":"${header.typ}"}`).toString('base64url')
}

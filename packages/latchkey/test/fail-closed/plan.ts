/**
 * What is asked of every hostile host: the entry points, the authenticators, the permissions, the credentials, and which
 * of them go together. Read by the test, which sends the requests, and by the child process, which builds the routes.
 */

/** Every way into a handler. */
export const DOORS = [
  'gate',
  'view',
  'fetch',
  'express.guard',
  'express.route',
  'express.endpoint',
  'fastify.guard',
  'fastify.route',
  'fastify.endpoints',
  'hono.guard',
  'hono.route',
  'hono.endpoint',
  'hono.route without Node',
] as const
export type Door = (typeof DOORS)[number]

/** Those that need no framework. */
export const OWN_DOORS: readonly Door[] = ['gate', 'view', 'fetch']

/** Username -> flags. Everyone has the same password. */
export const USERS = {
  alice: {},
  bob: {},
  staff: { isStaff: true },
  gone: { isActive: false },
} as const
export type Username = keyof typeof USERS

/** Each has a Latchkey of its own on the shared store. */
export const AUTHENTICATORS = [
  'token',
  'knox',
  'personal',
  'token or personal',
  'jwt',
  'jwt cookie',
  'stateless jwt',
  'basic',
  'session',
  'remote user',
  'remote user elsewhere',
  'three kinds',
  'own',
  'own, later',
] as const
export type AuthenticatorName = (typeof AUTHENTICATORS)[number]

/** A request's credential: which authenticators take it, and as whom. `null`: nobody does. */
export interface Credential {
  readonly name: string
  readonly owner: Username | null
  readonly takenBy: readonly AuthenticatorName[]
}

const credential = (
  name: string,
  owner: Username | null = null,
  ...takenBy: AuthenticatorName[]
): Credential => ({
  name,
  owner,
  takenBy,
})

const TOKENS: readonly AuthenticatorName[] = ['token', 'token or personal']
const JWTS: readonly AuthenticatorName[] = ['jwt', 'jwt cookie', 'stateless jwt', 'three kinds']

/** The child gives the headers of each by its name. */
export const CREDENTIALS: readonly Credential[] = [
  credential('nothing'),
  credential('token of alice', 'alice', ...TOKENS),
  credential('token of bob', 'bob', ...TOKENS),
  credential('token of staff', 'staff', ...TOKENS),
  credential('unknown token'),
  credential('revoked token'),
  credential('expired token'),
  credential('token of gone'),
  credential('token twice'),
  credential('token under Bearer', 'alice', 'three kinds'),
  credential('knox of alice', 'alice', 'knox'),
  credential('knox of bob', 'bob', 'knox'),
  credential('expired knox'),
  credential('revoked knox'),
  credential('knox of gone'),
  credential('personal of alice', 'alice', 'personal', 'token or personal'),
  credential('personal with orders:read', 'alice', 'personal', 'token or personal'),
  credential('personal with orders:write', 'alice', 'personal', 'token or personal'),
  credential('personal without scopes', 'alice', 'personal', 'token or personal'),
  credential('personal from elsewhere'),
  credential('expired personal'),
  credential('revoked personal'),
  credential('personal of gone'),
  credential('jwt of alice', 'alice', ...JWTS),
  credential('jwt of bob', 'bob', ...JWTS),
  credential('expired jwt'),
  credential('revoked jwt'),
  credential('forged jwt'),
  credential('unsigned jwt'),
  credential('refresh jwt'),
  // Stateless authentication takes the claims' word for it, as documented.
  credential('jwt of gone', 'gone', 'stateless jwt'),
  credential('jwt cookie of alice', 'alice', 'jwt cookie'),
  credential('jwt cookie of gone'),
  credential('forged jwt cookie'),
  credential('password of alice', 'alice', 'basic'),
  credential('wrong password'),
  credential('password of nobody'),
  credential('password of gone'),
  credential('session of alice', 'alice', 'session'),
  credential('session of bob', 'bob', 'session'),
  credential('ended session'),
  credential('expired session'),
  credential('unknown session'),
  credential('session of gone'),
  credential('remote user alice', 'alice', 'remote user'),
  credential('remote user nobody'),
  credential('remote user gone'),
  credential('own of alice', 'alice', 'own', 'own, later'),
  credential('own of bob', 'bob', 'own', 'own, later'),
  credential('own of nobody'),
]

type Held = 'nothing' | 'token of alice' | 'token of staff' | `personal ${string}`

/** Who may pass, of the credentials that `token or personal` takes. */
export const PERMISSIONS: Readonly<Record<string, (held: Held) => boolean>> = {
  isAuthenticated: (held) => held !== 'nothing',
  isAdminUser: (held) => held === 'token of staff',
  hasScope: (held) => mayRead(held),
  isAuthenticatedOrReadOnly: (held) => held !== 'nothing',
  'all(isAuthenticated, hasScope)': (held) => mayRead(held),
  'all(isAdminUser, hasScope)': (held) => held === 'token of staff',
  'any(isAdminUser, hasScope)': (held) => mayRead(held),
  'not(isAdminUser)': (held) => held !== 'token of staff',
  'not(not(isAuthenticated))': (held) => held !== 'nothing',
  'not(isAuthenticated)': (held) => held === 'nothing',
  own: (held) => held !== 'nothing' && held !== 'token of staff',
  default: (held) => held !== 'nothing',
}

const mayRead = (held: Held) =>
  held === 'token of alice' || held === 'token of staff' || held === 'personal with orders:read'

const HELD: readonly Held[] = [
  'nothing',
  'token of alice',
  'token of staff',
  'personal with orders:read',
  'personal with orders:write',
  'personal without scopes',
]

/** A route, and who comes to it. */
export interface Visit {
  readonly door: Door
  readonly authenticator: AuthenticatorName
  readonly permission: string
  readonly method: 'GET' | 'POST'
  readonly credential: string
  /** Who reaches the handler: a username, `null` for an anonymous caller; `refused`: the handler is not reached. */
  readonly expected: Username | null | 'refused'
}

/** The route of a visit: `/hot/hono-route/own-later/isAuthenticated`. Frameworks differ in how they decode others. */
export function routeOf(
  temperature: string,
  { door, authenticator, permission }: Pick<Visit, 'door' | 'authenticator' | 'permission'>,
): string {
  const names = [temperature, door, authenticator, permission]
  return `/${names.map((name) => name.replace(/[^a-z]+/gi, '-')).join('/')}`
}

/** Every visit; with `doors` those through these entry points only. */
export function visits(doors: readonly Door[] = DOORS): readonly Visit[] {
  const isThere = ({ door }: Visit) => doors.includes(door)
  return [...everyCredential(), ...everyDoor(), ...everyPermission()].filter(isThere)
}

const isAuthenticatedOnly = { permission: 'isAuthenticated', method: 'GET' } as const

function whoPasses(authenticator: AuthenticatorName, { owner, takenBy }: Credential): Username | 'refused' {
  return owner !== null && takenBy.includes(authenticator) ? owner : 'refused'
}

function everyCredential(): readonly Visit[] {
  return AUTHENTICATORS.flatMap((authenticator) =>
    CREDENTIALS.map((one, index) => ({
      ...isAuthenticatedOnly,
      door: index % 2 === 0 ? ('gate' as const) : ('view' as const),
      authenticator,
      credential: one.name,
      expected: whoPasses(authenticator, one),
    })),
  )
}

const AT_EVERY_DOOR: Readonly<Partial<Record<AuthenticatorName, readonly string[]>>> = {
  token: ['nothing', 'unknown token', 'revoked token', 'expired token', 'token of gone', 'token of alice'],
  jwt: ['expired jwt', 'revoked jwt', 'jwt of gone', 'jwt of bob'],
  session: ['nothing', 'unknown session', 'session of gone', 'session of alice'],
  'own, later': ['own of nobody', 'own of bob'],
}

function everyDoor(): readonly Visit[] {
  return DOORS.flatMap((door) =>
    AUTHENTICATORS.flatMap((authenticator) =>
      CREDENTIALS.filter(({ name }) => AT_EVERY_DOOR[authenticator]?.includes(name)).map((one) => ({
        ...isAuthenticatedOnly,
        door,
        authenticator,
        credential: one.name,
        expected: whoPasses(authenticator, one),
      })),
    ),
  )
}

function everyPermission(): readonly Visit[] {
  const owner = (held: Held): Username | null => {
    if (held === 'nothing') return null
    return held === 'token of staff' ? 'staff' : 'alice'
  }
  return (['gate', 'view', 'express.guard'] as const).flatMap((door) =>
    Object.entries(PERMISSIONS).flatMap(([permission, allows]) =>
      HELD.map((held) => ({
        door,
        authenticator: 'token or personal' as const,
        permission,
        method: 'POST' as const,
        credential: held,
        expected: allows(held) ? owner(held) : ('refused' as const),
      })),
    ),
  )
}

/**
 * A model of access: operations in progress and one that narrows access, on two nodes with one database, in an order that a
 * scheduler chooses call by call. It says which credentials may still be good afterwards.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Scheduler } from 'fast-check'
import {
  createLatchkey,
  isLatchkeyError,
  type Latchkey,
  type PasswordHasher,
  type Store,
  signingKey,
  type User,
} from 'latchkey'
import { fixedClock } from 'latchkey/testing'

/** What an operation is while it runs: who orders its calls, and what it did. */
export interface Running {
  readonly scheduler: Scheduler
  /** By the name of a call: when it ran, counted in calls. */
  readonly ranAt: Map<string, number[]>
}

const running = new AsyncLocalStorage<Running>()
let calls = 0

/** Runs an operation whose store and hash calls wait for the scheduler. */
export function inOrder<Result>(operation: Running, work: () => Promise<Result>): Promise<Result> {
  return running.run(operation, work)
}

/** A call waits before it runs, runs to its end, and its answer waits, too: it may be late. */
async function step<Result>(name: string, call: () => Promise<Result>): Promise<Result> {
  const operation = running.getStore()
  if (operation === undefined) return call()
  const { scheduler, ranAt } = operation
  const turn = <Value>(label: string, work: () => Promise<Value>) =>
    new Promise<Value>((resolve, reject) => {
      scheduler.scheduleSequence([{ label, builder: () => work().then(resolve, reject) }])
    })
  const outcome = await turn(name, async () => {
    calls += 1
    ranAt.set(name, [...(ranAt.get(name) ?? []), calls])
    return call().then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error
      },
    )
  })
  await turn(`${name} answers`, async () => undefined)
  return outcome()
}

const ORDERED = ['users', 'tokens', 'sessions', 'jwts', 'access'] as const

/** The store with every call in the scheduler's order. */
export function orderedStore(store: Store): Store {
  const parts = ORDERED.map((part) => {
    const methods = Object.entries(store[part]).map(([name, method]) => [
      name,
      (...given: unknown[]) =>
        step(`${part}.${name}`, async (): Promise<unknown> => Reflect.apply(method, store[part], given)),
    ])
    return [part, Object.fromEntries(methods)]
  })
  return { ...store, ...Object.fromEntries(parts) }
}

/** A password in clear: what is tried here is the order of calls, and not the hash. */
function hasher(algorithm: string): PasswordHasher {
  const encoded = (password: string) => `${algorithm}$${password}`
  return {
    algorithm,
    recognises: (text) => text.startsWith(`${algorithm}$`),
    hash: (password) => step('hash', async () => encoded(password)),
    verify: (password, text) => step('verify', async () => text === encoded(password)),
    isWeaker: () => false,
    decoy: () => encoded('\u0000 no password'),
  }
}

export const clock = fixedClock()
const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })

/** One node. `isRotating`: refresh tokens are exchanged, and end then. */
export function node(store: Store, isRotating: boolean, cacheEntries = 1000): Latchkey {
  return createLatchkey({
    store,
    secret: 'a secret of at least thirty-two characters',
    clock,
    cacheEntries,
    loginRate: null,
    jwt: { signingKey: key, rotateRefresh: isRotating, blacklistAfterRotation: isRotating },
    policies: [
      {
        ...OPEN_POLICY,
        name: 'many',
        renewal: { minIntervalSeconds: 1, maxTtlSeconds: null },
      },
    ],
    passwords: {
      preferred: hasher('new_format'),
      hashers: [hasher('old_format')],
      concurrency: 64,
      validators: [],
    },
  })
}

const OPEN_POLICY = {
  prefix: '',
  hexDigits: 64,
  format: null,
  onePerUser: false,
  shownAgain: false,
  ttlSeconds: 100,
  maxTtlSeconds: null,
  limitPerUser: null,
  isKnownScope: null,
  tracksUse: false,
  ownerScopes: null,
} as const

export const OLD_PASSWORD = 'the old password'
export const NEW_PASSWORD = 'the new password'

export type CredentialKind = 'token' | 'session' | 'access' | 'refresh'

export interface Credential {
  readonly kind: CredentialKind
  readonly secret: string
}

/** What there is before the race: one credential of every kind. */
export interface Before {
  readonly user: User
  readonly credentials: readonly Credential[]
  readonly tokenId: number
}

let users = 0

/** Both nodes have seen the credentials, and remember them. */
export async function prepare(on: Latchkey, other: Latchkey): Promise<Before> {
  clock.advance(5)
  users += 1
  const user = await on.users.create({ username: `user${users}-${Date.now()}`, isStaff: true })
  // As users are imported: the first login upgrades the hash.
  await on.users.setPassword(user, OLD_PASSWORD, { allowWeakPassword: true })
  clock.advance(5)
  const { token, secret } = await on.tokens.issue({ user, policy: 'many' })
  const pair = await jwtsOf(on).issuePair(user)
  const session = await on.sessions.start(user)
  const credentials: readonly Credential[] = [
    { kind: 'token', secret: secret.reveal() },
    { kind: 'session', secret: session.secret.reveal() },
    { kind: 'access', secret: pair.access },
    { kind: 'refresh', secret: pair.refresh },
  ]
  for (const credential of credentials) {
    for (const each of [on, other]) if (credential.kind !== 'refresh') await acceptedBy(each, credential)
  }
  // Half of its life is over: its next use renews it.
  clock.advance(50)
  return { user, credentials, tokenId: token.id }
}

/** The old format of the old password, as an import leaves it. */
export async function setOldFormat(store: Store, user: User): Promise<void> {
  const record = await store.users.findById(user.id)
  if (record === null) throw new Error('there is no such user')
  const change = { passwordHash: `old_format$${OLD_PASSWORD}`, expectedHash: record.passwordHash }
  await store.users.recordLogin?.(user.id, change)
}

interface Operation {
  /** What it does; the credentials that it got. */
  readonly run: (on: Latchkey, before: Before) => Promise<readonly Credential[]>
  /** The call at which it is decided: what it creates is there from then on. */
  readonly decidedBy: (isRotating: boolean) => string
  /** What it goes on from. */
  readonly from: 'password' | CredentialKind
}

const login = async (on: Latchkey, { user }: Before): Promise<User> => {
  const credentials = { username: user.username, password: OLD_PASSWORD, address: '192.0.2.1' }
  const loggedIn = await on.login.login(credentials, { updateLastLogin: true })
  if (loggedIn === null) throw new Refused('login')
  return loggedIn
}
class Refused extends Error {}

const secretOf = ({ credentials }: Before, wanted: CredentialKind) =>
  credentials.find(({ kind }) => kind === wanted)?.secret ?? ''

/** Everything that can be under way while access is narrowed. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'login for a token': {
    run: async (on, before) => {
      const { secret } = await on.tokens.issue({ user: await login(on, before), policy: 'many' })
      return [{ kind: 'token', secret: secret.reveal() }]
    },
    decidedBy: () => 'tokens.insertOrGet',
    from: 'password',
  },
  'login for the one token': {
    run: async (on, before) => {
      const { secret } = await on.tokens.getOrCreate({ user: await login(on, before) })
      return [{ kind: 'token', secret: secret.reveal() }]
    },
    decidedBy: () => 'tokens.insertOrGet',
    from: 'password',
  },
  'login for a session': {
    run: async (on, before) => {
      const { secret } = await on.sessions.start(await login(on, before))
      return [{ kind: 'session', secret: secret.reveal() }]
    },
    decidedBy: () => 'sessions.insert',
    from: 'password',
  },
  'login for JWTs': {
    run: async (on, before) => {
      const { access, refresh } = await jwtsOf(on).issuePair(await login(on, before))
      return [
        { kind: 'access', secret: access },
        { kind: 'refresh', secret: refresh },
      ]
    },
    decidedBy: () => 'jwts.insert',
    from: 'password',
  },
  'a request with the password': {
    run: async (on, before) => {
      await login(on, before)
      return []
    },
    decidedBy: () => 'access.version',
    from: 'password',
  },
  refresh: {
    run: async (on, before) => {
      const { access, refresh } = await jwtsOf(on).refresh(secretOf(before, 'refresh'))
      const successor: readonly Credential[] =
        refresh === undefined ? [] : [{ kind: 'refresh', secret: refresh }]
      return [{ kind: 'access', secret: access }, ...successor]
    },
    decidedBy: (isRotating) => (isRotating ? 'jwts.rotate' : 'access.version'),
    from: 'refresh',
  },
  rotation: {
    run: async (on, { tokenId }) => {
      const { secret } = await on.tokens.rotate(tokenId, { overlapSeconds: 60 })
      return [{ kind: 'token', secret: secret.reveal() }]
    },
    decidedBy: () => 'tokens.rotate',
    from: 'token',
  },
  'use of a token, which renews it': {
    run: async (on, before) => {
      await on.tokens.verify(secretOf(before, 'token'))
      return []
    },
    decidedBy: () => 'tokens.findByDigest',
    from: 'token',
  },
  'use of a JWT': {
    run: async (on, before) => {
      await jwtsOf(on).authenticate(secretOf(before, 'access'), ['access'])
      return []
    },
    decidedBy: () => 'jwts.state',
    from: 'access',
  },
  'use of a session': {
    run: async (on, before) => {
      await on.sessions.verify(secretOf(before, 'session'))
      return []
    },
    decidedBy: () => 'sessions.findByDigest',
    from: 'session',
  },
}

interface Narrowing {
  /** The password that was verified opens nothing any more. */
  readonly endsPassword: boolean
  readonly run: (on: Latchkey, user: User) => Promise<unknown>
  /** The call after which nothing more may be created. */
  readonly decidedBy: string
  /** Kinds that live on where they were there before. */
  readonly keeps: readonly CredentialKind[]
}

const JWT = ['access', 'refresh'] as const

export const NARROWINGS: Readonly<Record<string, Narrowing>> = {
  'a new password': {
    run: (on, user) => on.users.setPassword(user, NEW_PASSWORD, { allowWeakPassword: true }),
    decidedBy: 'users.update',
    endsPassword: true,
    keeps: ['token'],
  },
  deactivation: {
    run: (on, user) => on.users.deactivate(user),
    decidedBy: 'users.update',
    endsPassword: true,
    keeps: [],
  },
  'deactivation and back': {
    run: async (on, user) => {
      await on.users.deactivate(user)
      await on.users.activate(user)
    },
    decidedBy: 'users.update',
    endsPassword: false,
    keeps: ['token', 'session', ...JWT],
  },
  deletion: {
    run: (on, user) => on.users.delete(user),
    decidedBy: 'users.delete',
    endsPassword: true,
    keeps: [],
  },
  'revocation of all tokens': {
    run: (on, user) => on.tokens.revokeAll({ user }),
    decidedBy: 'tokens.deleteMany',
    endsPassword: false,
    keeps: ['session', ...JWT],
  },
  'logout everywhere': {
    run: (on, user) => jwtsOf(on).revokeUser(user),
    decidedBy: 'jwts.revokeUser',
    endsPassword: false,
    keeps: ['token', 'session'],
  },
  'loss of a role': {
    run: (on, user) => on.users.update(user, { isStaff: false }),
    decidedBy: 'users.update',
    endsPassword: false,
    keeps: ['token', 'session', ...JWT],
  },
}

function jwtsOf({ jwts }: Latchkey) {
  if (jwts === null) throw new TypeError('jwt: is missing')
  return jwts
}

/** Whom a credential lets in at this node; null: nobody. */
export async function acceptedBy(on: Latchkey, { kind, secret }: Credential): Promise<User | null> {
  const jwts = jwtsOf(on)
  const verify: Readonly<Record<CredentialKind, () => Promise<User | null>>> = {
    token: async () => (await on.tokens.verify(secret)).user,
    session: () => on.sessions.verify(secret),
    access: async () => (await jwts.authenticate(secret, ['access'])).user,
    refresh: async () => (await jwts.authenticate((await jwts.refresh(secret)).access, ['access'])).user,
  }
  try {
    return await verify[kind]()
  } catch (error) {
    if (isLatchkeyError(error, 'authentication_failed')) return null
    throw error
  }
}

/** Whether an operation was refused, as opposed to failed. */
export function isRefusal(error: unknown): boolean {
  const codes = ['authentication_failed', 'not_found', 'conflict'] as const
  return error instanceof Refused || codes.some((code) => isLatchkeyError(error, code))
}

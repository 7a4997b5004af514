/**
 * What happens when an app's own code answers wrongly: one row per callback. `hostile-answers.test.ts` runs the rows and
 * fails for a callback that has none.
 */
import {
  allowAny,
  any,
  hasScope,
  isAuthenticated,
  knox,
  memoryStore,
  not,
  personalTokens,
  scrypt,
  signingKey,
  throttleByAddress,
  tokenAuthentication,
  tokenObtainPair,
} from '../../src/index.js'
import { fakeRequest, fixedClock } from '../../src/testing/index.js'
import {
  ALICE,
  type Answers,
  BAD_IDENTITIES,
  BAD_RECORDS,
  BAD_TIMES,
  everyWay,
  NOT_TRUE,
  PROMISES_OF_TRUE,
  thenable,
} from './hostile-values.js'
import { PASSWORD, SECRET, type Seen, type Trial, trial } from './trial.js'

export interface Row {
  /** The option, as errors name it: `createLatchkey.users`. */
  readonly callback: string
  /** Which of its functions, where it has several. */
  readonly method?: string
  readonly answers: Answers
  /** Comes to a Latchkey whose callback answers this. Nothing may be reached. */
  readonly come: (answer: () => unknown) => Promise<Seen>
  /** What the log says of an answer that is wrong; absent: any refusal will do. */
  readonly names?: RegExp
  /** How many handlers are reached all the same: for callbacks that decide nothing. Default is 0. */
  readonly reaches?: number
}

const own = (authenticate: () => unknown) => ({ name: 'Own', challenge: 'Own', authenticate })

/** A user with a token, in the store of a Latchkey; the hostile callback answers from `start()` on. */
async function withToken(
  options: (hostile: (usual: () => unknown) => unknown) => Readonly<Record<string, unknown>>,
  answer: () => unknown,
): Promise<{
  readonly app: Trial
  readonly headers: Readonly<Record<string, string>>
  readonly access?: string
}> {
  let isHostile = false
  const app = trial(options((usual) => (isHostile ? answer() : usual())))
  const user = await app.latchkey.users.create({ username: 'alice', password: PASSWORD })
  const { secret } = await app.latchkey.tokens.issue({ user })
  const pair = await app.latchkey.jwts?.issuePair(user)
  isHostile = true
  return { app, headers: { authorization: `Token ${secret.reveal()}` }, ...pair }
}

const NOTHING: Answers = { null: () => null, undefined: () => undefined }

const JWT = { signingKey: signingKey({ algorithm: 'HS256', key: SECRET }) }

/** A store of which one method answers this, once `isHostile()`. */
function storeWith(part: 'users' | 'tokens' | 'sessions' | 'jwts', method: string, hostile: Hostile) {
  const store = memoryStore()
  const usual: object = store[part]
  const methods = new Proxy(usual, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const call = (...args: unknown[]) => Reflect.apply(member, target, args)
      return name === method ? (...args: unknown[]) => hostile(() => call(...args)) : call
    },
  })
  return { ...store, close: () => store.close(), [part]: methods }
}
type Hostile = (usual: () => unknown) => unknown

function counting(answer: () => unknown, method: 'hit' | 'peek' | 'merge') {
  const room = async () => ({ allowed: true, waitSeconds: 0 })
  return { hit: room, peek: room, merge: async () => [], clear: async () => undefined, [method]: answer }
}

const BAD_COUNTS: Answers = everyWay({
  ...NOTHING,
  true: () => true,
  'an empty object': () => ({}),
  'allowed as a text': () => ({ allowed: 'yes', waitSeconds: 0 }),
  'allowed as a number': () => ({ allowed: 1, waitSeconds: 0 }),
  'allowed as a promise': () => ({ allowed: Promise.resolve(true), waitSeconds: 0 }),
  'a row of a database': () => [{ allowed: true, waitSeconds: 0 }],
})

function hasherThat(method: string, answer: () => unknown) {
  const usual = scrypt({ cost: 1024 })
  return {
    algorithm: usual.algorithm,
    recognises: (encoded: string) => usual.recognises(encoded),
    hash: (password: string) => usual.hash(password),
    verify: (password: string, encoded: string) => usual.verify(password, encoded),
    isWeaker: () => false,
    decoy: () => usual.decoy(),
    ...(method === 'isAvailable' ? { isAvailable: async () => true } : {}),
    [method]: answer,
  }
}

async function wrongPassword(method: string, answer: () => unknown): Promise<Seen> {
  let isHostile = false
  const usual = scrypt({ cost: 1024 })
  const hasher = {
    ...hasherThat('none', () => undefined),
    [method]: (...args: [string, string]) =>
      isHostile ? answer() : (usual[method as 'verify'] as typeof usual.verify)(...args),
  }
  const app = trial({ passwords: { preferred: hasher }, loginRate: null })
  await app.latchkey.users.create({ username: 'alice', password: PASSWORD })
  isHostile = true
  return app.logIn('alice', 'wrong password')
}

async function loginPair(jwt: Readonly<Record<string, unknown>>): Promise<Trial> {
  const app = trial({ jwt: { ...JWT, ...jwt } })
  await app.latchkey.users.create({ username: 'alice', password: PASSWORD })
  await app.latchkey.users.create({ username: 'bob', password: PASSWORD })
  const { body, status } = await app.latchkey.handler(tokenObtainPair())(
    fakeRequest({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"username":"bob","password":"${PASSWORD}"}`,
    }),
  )
  if (status !== 200) return Object.assign(app, { statuses: [status] })
  const { access }: { access: string } = JSON.parse(String(body))
  return app.attempt(async () => {
    const identity = await app.latchkey.jwts?.authenticate(access, ['access'])
    // Its own user and nobody else: that is no intrusion.
    if (identity?.user?.username === 'bob') throw new Error('jwt: is that of its own user')
  })
}

const BAD_OBJECTS: Answers = everyWay({
  ...NOTHING,
  '5': () => 5,
  'a text': () => 'alice',
  true: () => true,
  'a list': () => [{ user_id: 1 }],
  'the id of another user': () => ({ user_id: 1 }),
  'no end': () => ({ exp: 'never' }),
})

const BAD_SCOPES: Answers = {
  undefined: () => undefined,
  true: () => true,
  '0': () => 0,
  'a text': () => '*',
  'a Set': () => new Set(['*']),
  'an object': () => ({ '*': true }),
  'a list in a list': () => [['*']],
  'a list of no texts': () => [1, null, {}],
  'a promise of a list': () => Promise.resolve(['*']),
  'a thenable of a list': () => thenable((resolve) => resolve(['*'])),
}

const ORDERS_READ = [hasScope('orders:read')]

async function ownerScopes(answer: () => unknown): Promise<Seen> {
  const personal = personalTokens()
  let isHostile = false
  const policy = { ...personal.policy, ownerScopes: () => (isHostile ? answer() : null) }
  const app = trial({ policies: [policy], authentication: [personal.authentication] })
  const user = await app.latchkey.users.create({ username: 'alice' })
  const { secret } = await app.latchkey.tokens.issue({ user, policy: policy.name })
  isHostile = true
  return app.visit({ authorization: `Bearer ${secret.reveal()}` }, ORDERS_READ)
}

/** Comes with a token that is wrong, and then with one that is good. */
async function wrongAndGood(options: Readonly<Record<string, unknown>>): Promise<Seen> {
  const app = trial(options)
  const user = await app.latchkey.users.create({ username: 'alice', password: PASSWORD })
  const { secret } = await app.latchkey.tokens.issue({ user })
  await app.visit({ authorization: `Token ${'0'.repeat(40)}` })
  await app.logIn('alice', 'wrong password')
  return app.visit({ authorization: `Token ${secret.reveal()}` })
}

/** What came after the one request that a rate of one lets through. */
function withoutFirst({ reached, statuses, errors }: Seen): Seen {
  return { reached: reached.slice(1), statuses: statuses.slice(1), errors }
}

/** What listeners may answer: it changes nothing. */
const ANYTHING: Answers = { ...everyWay({ ...NOTHING, false: () => false, 'an empty object': () => ({}) }) }

const users = (method: 'findById' | 'findByUsername', answer: () => unknown) => {
  const findNobody = async () => null
  return { users: { findById: findNobody, findByUsername: findNobody, [method]: answer } }
}

async function userOfToken(answer: () => unknown): Promise<Seen> {
  const store = memoryStore()
  const issuer = trial({ store })
  const user = await issuer.latchkey.users.create({ username: 'alice' })
  const { secret } = await issuer.latchkey.tokens.issue({ user })
  const app = trial({ store, ...users('findById', answer) })
  return app.visit({ authorization: `Token ${secret.reveal()}` })
}

/** The good record, for rows in which one member of it is wrong. */
const records: Answers = {
  ...BAD_RECORDS,
  ...everyWay({ ...NOTHING, 'an empty object': () => ({}), true: () => true }),
}

async function expired(answer: () => unknown): Promise<Seen> {
  const past = fixedClock(0)
  let isHostile = false
  const policy = knox().policy
  const clock = { nowMs: () => (isHostile ? answer() : past.nowMs()) }
  const authentication = [tokenAuthentication({ policies: ['authtoken', 'knox'] })]
  const app = trial({ clock, policies: [policy], authentication, cacheEntries: 0 })
  const user = await app.latchkey.users.create({ username: 'alice' })
  const { secret } = await app.latchkey.tokens.issue({ user, policy: 'knox', ttlSeconds: 60 })
  isHostile = true
  return app.visit({ authorization: `Token ${secret.reveal()}` })
}

export const ROWS: readonly Row[] = [
  {
    callback: 'createLatchkey.authentication',
    answers: everyWay(BAD_IDENTITIES),
    come: (answer) => trial({ authentication: [own(answer)] }).visit({}),
    names: /\bOwn\b/,
  },
  {
    callback: 'createLatchkey.authentication',
    method: 'before hasScope',
    answers: BAD_IDENTITIES,
    come: (answer) => trial({ authentication: [own(answer)] }).visit({}, ORDERS_READ),
    names: /\bOwn\b/,
  },
  {
    callback: 'createLatchkey.authentication',
    method: 'nothing at all',
    answers: everyWay(NOTHING),
    come: (answer) => trial({ authentication: [own(answer)] }).visit({}),
  },
  {
    callback: 'createLatchkey.permissions',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE, false: () => false },
    come: async (answer) => {
      const permission = { name: 'IsOwn', requiresUser: false, allows: answer as () => boolean }
      const { app, headers } = await withToken(() => ({ permissions: [permission] }), answer)
      await app.visit(headers, [permission])
      await app.visit(headers, [any(permission, not(isAuthenticated))])
      return app
    },
  },
  {
    callback: 'createLatchkey.permissions',
    method: 'under not()',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE, true: () => true },
    come: async (answer) => {
      const permission = { name: 'IsOwn', requiresUser: false, allows: answer as () => boolean }
      const { app, headers } = await withToken(() => ({}), answer)
      return app.visit(headers, [not(permission)])
    },
  },
  {
    callback: 'createLatchkey.permissions',
    method: 'deniedBy',
    answers: everyWay({ ...NOT_TRUE, 'a promise': () => Promise.reject(new Error('later')) }),
    come: async (answer) => {
      const permission = {
        name: 'IsOwn',
        requiresUser: false,
        allows: () => false,
        deniedBy: answer as () => undefined,
      }
      const { app, headers } = await withToken(() => ({}), answer)
      return app.visit(headers, [permission])
    },
  },
  {
    callback: 'createLatchkey.throttles',
    answers: { undefined: () => undefined, '5': () => 5, 'an empty object': () => ({}), true: () => true },
    // One of a minute, and a second and a third request: only the first may pass, if any.
    come: async (answer) => {
      const throttle = { ...throttleByAddress('1/min'), name: 'Own', key: answer }
      const { app, headers } = await withToken(() => ({ throttles: [throttle] }), answer)
      await app.visit(headers)
      return withoutFirst(app)
    },
  },
  {
    callback: 'createLatchkey.counters',
    method: 'hit',
    answers: BAD_COUNTS,
    come: async (answer) => {
      const options = () => ({
        counters: counting(answer, 'hit'),
        throttles: [throttleByAddress('1/min')],
        throttleFlushSeconds: 0,
      })
      const { app, headers } = await withToken(options, answer)
      await app.visit(headers)
      return app.logIn('alice', PASSWORD)
    },
    names: /counters/,
  },
  {
    callback: 'createLatchkey.counters',
    method: 'peek',
    answers: BAD_COUNTS,
    come: async (answer) => {
      const { app } = await withToken(() => ({ counters: counting(answer, 'peek') }), answer)
      return app.logIn('alice', PASSWORD)
    },
    names: /counters/,
  },
  {
    callback: 'createLatchkey.counters',
    method: 'merge',
    answers: BAD_COUNTS,
    // What the store forgot is counted here all the same.
    come: async (answer) => {
      const options = () => ({
        counters: counting(answer, 'merge'),
        throttles: [throttleByAddress('1/min')],
      })
      const { app, headers } = await withToken(options, answer)
      await app.visit(headers)
      await app.latchkey.throttles.flush()
      return withoutFirst(app)
    },
  },
  {
    callback: 'createLatchkey.users',
    method: 'findById, for a token',
    answers: records,
    come: userOfToken,
  },
  {
    callback: 'createLatchkey.users',
    method: 'findById, for a JWT',
    answers: records,
    come: async (answer) => {
      const pair = await trial({ jwt: JWT }).latchkey.jwts?.issuePair(ALICE)
      const { jwtAuthentication } = await import('../../src/index.js')
      const app = trial({ jwt: JWT, authentication: [jwtAuthentication()], ...users('findById', answer) })
      return app.visit({ authorization: `Bearer ${pair?.access}` })
    },
  },
  {
    callback: 'createLatchkey.users',
    method: 'findById, for a session',
    answers: records,
    come: async (answer) => {
      const store = memoryStore()
      const issuer = trial({ store })
      const user = await issuer.latchkey.users.create({ username: 'alice' })
      const { secret } = await issuer.latchkey.sessions.start(user)
      const { sessionAuthentication } = await import('../../src/index.js')
      const app = trial({ store, authentication: [sessionAuthentication()], ...users('findById', answer) })
      return app.visit({ cookie: `sessionid=${secret.reveal()}` })
    },
  },
  {
    callback: 'createLatchkey.users',
    method: 'findByUsername, for a proxy',
    answers: records,
    come: async (answer) => {
      const { remoteUserAuthentication } = await import('../../src/index.js')
      const authentication = [remoteUserAuthentication({ trustedProxies: ['127.0.0.1'] })]
      return trial({ authentication, ...users('findByUsername', answer) }).visit({ 'remote-user': 'alice' })
    },
  },
  {
    callback: 'createLatchkey.users',
    method: 'findByUsername, for a password',
    answers: records,
    come: async (answer) => {
      const { basicAuthentication } = await import('../../src/index.js')
      const app = trial({
        authentication: [basicAuthentication()],
        loginRate: null,
        ...users('findByUsername', answer),
      })
      await app.visit({ authorization: `Basic ${Buffer.from(`alice:${PASSWORD}`).toString('base64')}` })
      return app.logIn('alice', PASSWORD)
    },
  },
  {
    callback: 'createLatchkey.store',
    method: 'tokens.findByDigest',
    answers: everyWay({
      ...NOTHING,
      true: () => true,
      'an empty object': () => ({}),
      'a token of nobody': () => ({ token: {}, user: null }),
    }),
    come: async (answer) => {
      const { app, headers } = await withToken(
        (hostile) => ({ store: storeWith('tokens', 'findByDigest', hostile), cacheEntries: 0 }),
        answer,
      )
      return app.visit(headers)
    },
  },
  {
    callback: 'createLatchkey.store',
    method: 'sessions.findByDigest',
    answers: everyWay({
      ...NOTHING,
      true: () => true,
      'an empty object': () => ({}),
      'a session of nobody': () => ({ session: {}, user: null }),
    }),
    come: async (answer) => {
      const { sessionAuthentication } = await import('../../src/index.js')
      const { app } = await withToken(
        (hostile) => ({
          store: storeWith('sessions', 'findByDigest', hostile),
          authentication: [sessionAuthentication()],
        }),
        answer,
      )
      return app.visit({ cookie: `sessionid=${'0'.repeat(64)}` })
    },
  },
  {
    callback: 'createLatchkey.store',
    method: 'jwts.state, of a token that was revoked',
    answers: everyWay({
      ...NOTHING,
      'an empty object': () => ({}),
      true: () => true,
      'no end': () => ({ known: null }),
      'an end that is a text': () => ({ known: null, notBefore: '2030-01-01' }),
    }),
    come: async (answer) => {
      const { jwtAuthentication } = await import('../../src/index.js')
      const { app, access } = await withToken(
        (hostile) => ({
          store: storeWith('jwts', 'state', hostile),
          jwt: JWT,
          authentication: [jwtAuthentication()],
          cacheEntries: 0,
        }),
        answer,
      )
      return app.visit({ authorization: `Bearer ${access}` })
    },
  },
  {
    callback: 'createLatchkey.clock',
    answers: BAD_TIMES,
    come: expired,
    names: /clock|no time/,
  },
  {
    callback: 'createLatchkey.secret',
    answers: {
      ...NOTHING,
      '5': () => 5,
      'an empty list': () => [],
      'a list of no texts': () => [5],
      'a short text': () => ['short'],
      'a promise': () => Promise.resolve([SECRET]),
    },
    come: async (answer) => {
      const app = trial({})
      return app.attempt(() => trial({ secret: answer }))
    },
    names: /secret/,
  },
  {
    callback: 'createLatchkey.exceptionHandler',
    answers: ANYTHING,
    come: async (answer) => wrongAndGood({ exceptionHandler: answer }),
    reaches: 2,
  },
  {
    callback: 'createLatchkey.onEvent',
    answers: ANYTHING,
    come: (answer) => wrongAndGood({ onEvent: answer }),
    reaches: 2,
  },
  {
    callback: 'createLatchkey.onError',
    answers: ANYTHING,
    come: async (answer) => {
      const errors: unknown[] = []
      const onError = (error: unknown) => {
        errors.push(error)
        return answer()
      }
      const app = await trial({ onError, authentication: [own(() => false)] }).visit({})
      return { ...app, errors }
    },
  },
  {
    callback: 'createLatchkey.parsers',
    answers: everyWay({
      ...NOTHING,
      true: () => true,
      'a list': () => [],
      'an object': () => ({ username: {} }),
    }),
    come: async (answer) => {
      const { obtainAuthToken } = await import('../../src/index.js')
      const app = trial({})
      await app.latchkey.users.create({ username: 'alice', password: PASSWORD })
      const parsers = [{ mediaType: 'application/json', parse: answer }]
      const headers = { 'content-type': 'application/json' }
      const { status } = await app.latchkey.handler(obtainAuthToken({ parsers }))(
        fakeRequest({ method: 'POST', headers, body: '{}' }),
      )
      return { ...app, statuses: [status] }
    },
  },
  {
    callback: 'createLatchkey.renderers',
    answers: everyWay({ ...NOTHING, true: () => true, 'an empty object': () => ({}) }),
    come: async (answer) => {
      const renderers = [{ mediaType: 'a/b', format: 'b', contentType: 'a/b', render: answer }]
      const app = trial({ renderers })
      // The renderer of the last resort failed as well: there is no answer then.
      return app.attempt(() => app.visit({}).then(() => Promise.reject(new Error('refused'))))
    },
  },
  {
    callback: 'jwt.tokenUser',
    answers: everyWay({
      true: () => true,
      'an empty name': () => ({ username: undefined }),
      'a name that is a number': () => ({ username: 5 }),
      'isStaff as a text': () => ({ isStaff: 'f' }),
      'isActive as a number': () => ({ isActive: 0 }),
      'a date that is a text': () => ({ dateJoined: '1970-01-01' }),
      'a promise of a name': () => ({ username: Promise.resolve('alice') }),
    }),
    come: async (answer) => {
      const { jwtStatelessUserAuthentication } = await import('../../src/index.js')
      const app = trial({
        jwt: { ...JWT, tokenUser: answer },
        authentication: [jwtStatelessUserAuthentication()],
      })
      const pair = await app.latchkey.jwts?.issuePair(ALICE)
      return app.visit({ authorization: `Bearer ${pair?.access}` })
    },
    names: /tokenUser/,
  },
  {
    callback: 'jwt.claims',
    answers: BAD_OBJECTS,
    come: (answer) => loginPair({ claims: answer }),
  },
  {
    callback: 'jwt.answer',
    answers: BAD_OBJECTS,
    come: (answer) => loginPair({ answer }),
  },
  {
    callback: 'jwt.userAuthenticationRule',
    answers: { ...everyWay(NOT_TRUE), false: () => false },
    come: async (answer) => {
      const app = trial({ jwt: { ...JWT, userAuthenticationRule: answer } })
      return app.attempt(() => app.latchkey.jwts?.issuePair(ALICE))
    },
  },
  ...(['preferred', 'hashers'] as const).map((callback) => ({
    callback: `passwords.${callback}`,
    method: 'verify',
    answers: everyWay(NOT_TRUE),
    come: (answer: () => unknown) => wrongPassword('verify', answer),
  })),
  {
    callback: 'passwords.preferred',
    method: 'recognises',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE },
    come: (answer) => wrongPassword('recognises', answer),
  },
  {
    callback: 'passwords.preferred',
    method: 'hash',
    answers: everyWay({ ...NOTHING, '5': () => 5, true: () => true, 'an object': () => ({}) }),
    come: async (answer) => {
      const app = trial({ passwords: { preferred: hasherThat('hash', answer) } })
      return app.attempt(() => app.latchkey.users.create({ username: 'alice', password: PASSWORD }))
    },
    names: /passwords|hash/,
  },
  {
    callback: 'passwords.validators',
    answers: {
      undefined: () => undefined,
      true: () => true,
      '5': () => 5,
      'a promise': () => Promise.resolve(null),
    },
    come: async (answer) => {
      const app = trial({ passwords: { validators: [answer] } })
      return app.attempt(() => app.latchkey.users.create({ username: 'alice', password: PASSWORD }))
    },
  },
  {
    callback: 'passwords.warn',
    answers: NOTHING,
    come: async (answer) => {
      const preferred = { ...hasherThat('isAvailable', async () => false), algorithm: 'own' }
      const app = trial({ passwords: { preferred, warn: answer }, loginRate: null })
      await app.latchkey.users.create({ username: 'alice', password: PASSWORD }).catch(() => undefined)
      return app.logIn('alice', 'wrong password')
    },
  },
  {
    callback: 'passwords.clock',
    answers: BAD_TIMES,
    // Every service reads the clock of the Latchkey, which cannot be given here.
    come: async (answer) => {
      const app = trial({})
      return app.attempt(() => {
        const { latchkey } = trial({ passwords: { clock: { nowMs: answer } }, loginRate: null })
        return latchkey.login.login({ username: 'alice', password: 'wrong', address: '' }).then((user) => {
          if (user === null) throw new Error('refused')
        })
      })
    },
  },
  {
    callback: 'policy.ownerScopes',
    answers: BAD_SCOPES,
    come: ownerScopes,
  },
  {
    callback: 'policy.isKnownScope',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE, false: () => false },
    come: async (answer) => {
      const policy = { ...personalTokens().policy, isKnownScope: answer }
      const app = trial({ policies: [policy] })
      const user = await app.latchkey.users.create({ username: 'alice' })
      return app.attempt(() =>
        app.latchkey.tokens.issue({ user, policy: policy.name, scopes: ['orders:read'] }),
      )
    },
  },
  {
    callback: 'tokenAuthentication.kinds',
    method: 'verify',
    answers: everyWay({ ...BAD_IDENTITIES, ...NOTHING }),
    come: (answer) => {
      const kinds = [{ recognises: () => true, verify: answer as () => never }]
      return trial({ authentication: [tokenAuthentication({ kinds })] }).visit({ authorization: 'Token x' })
    },
    names: /TokenAuthentication|kinds/,
  },
  {
    callback: 'tokenAuthentication.kinds',
    method: 'recognises',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE },
    come: (answer) => {
      const kinds = [{ recognises: answer as () => boolean, verify: () => ({ user: ALICE, auth: null }) }]
      return trial({ authentication: [tokenAuthentication({ kinds })] }).visit({ authorization: 'Token x' })
    },
  },
  {
    callback: 'personalTokens.ownerScopes',
    answers: BAD_SCOPES,
    come: (answer) => ownerScopes(answer),
  },
  {
    callback: 'personalTokens.scopes',
    answers: { ...NOT_TRUE, ...PROMISES_OF_TRUE, false: () => false },
    come: async (answer) => {
      const { policy } = personalTokens({ scopes: { isKnown: answer as () => boolean } })
      const app = trial({ policies: [policy] })
      const user = await app.latchkey.users.create({ username: 'alice' })
      return app.attempt(() =>
        app.latchkey.tokens.issue({ user, policy: policy.name, scopes: ['orders:read'] }),
      )
    },
  },
  {
    callback: 'personalTokens.managementAuthentication',
    answers: BAD_IDENTITIES,
    come: async (answer) => {
      const personal = personalTokens({ managementAuthentication: [own(answer) as never] })
      const app = trial({ policies: [personal.policy] })
      const { status } = await app.latchkey.handler(personal.collection)(fakeRequest())
      return { ...app, statuses: [status] }
    },
    names: /\bOwn\b/,
  },
  {
    callback: 'knox.loginAuthentication',
    answers: BAD_IDENTITIES,
    come: async (answer) => {
      const system = knox({ loginAuthentication: [own(answer) as never] })
      const app = trial({ policies: [system.policy] })
      const { status } = await app.latchkey.handler(system.login)(fakeRequest({ method: 'POST' }))
      return { ...app, statuses: [status] }
    },
    names: /\bOwn\b/,
  },
  ...(['userInResponse', 'loginResponse'] as const).map((callback) => ({
    callback: `knox.${callback}`,
    answers: ANYTHING,
    // The answer is the app's own; what counts is that only a login asks for it.
    come: async (answer: () => unknown) => {
      let calls = 0
      const counted = () => {
        calls += 1
        return answer()
      }
      const system = knox({ [callback]: counted })
      const app = trial({ policies: [system.policy], permissions: [allowAny] })
      const { status } = await app.latchkey.handler(system.login)(fakeRequest({ method: 'POST' }))
      return { ...app, statuses: [status], reached: calls === 0 ? [] : [null] }
    },
  })),
]

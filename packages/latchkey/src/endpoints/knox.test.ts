import { beforeEach, describe, expect, it } from 'vitest'
import { type SecretKind, tokenAuthentication } from '../authenticators/token.js'
import { LatchkeyError } from '../errors.js'
import type { LatchkeyEvent } from '../events.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { type FakeRequestOptions, fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { apiView } from '../views/api-view.js'
import { response } from '../views/response.js'
import type { View } from '../views/view.js'
import { type Knox, type KnoxOptions, knox } from './knox.js'
import { obtainAuthToken } from './obtain-auth-token.js'

const START_MS = Date.UTC(2030, 0, 1, 12, 0, 0, 123)
const BASIC = `Basic ${Buffer.from('vitor:open sesame 1').toString('base64')}`
const WRONG = `Basic ${Buffer.from('vitor:wrong').toString('base64')}`

describe('knox', () => {
  const clock = fixedClock(START_MS)
  let latchkey: Latchkey
  let parts: Knox
  let user: User
  let events: LatchkeyEvent[]
  let errors: unknown[]
  let onEvent: (event: LatchkeyEvent) => void

  async function start(options: KnoxOptions = {}) {
    clock.set(START_MS)
    parts = knox(options)
    latchkey = createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      clock,
      policies: [parts.policy],
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      loginRate: null,
      onEvent: (event) => onEvent(event),
      onError: (error, { method, path }) => errors.push(`${method} ${path}: ${error}`),
    })
    user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
  }

  beforeEach(async () => {
    events = []
    errors = []
    onEvent = (event) => events.push(event)
    await start()
  })

  async function post(view: View, authorization?: string, more: FakeRequestOptions = {}) {
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...more.headers }
    const answer = await latchkey.handler(view)(fakeRequest({ method: 'POST', ...more, headers }))
    const text = typeof answer.body === 'string' ? answer.body : null
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value])),
      text,
      json: text?.startsWith('{') ? JSON.parse(text) : null,
    }
  }
  const loggedIn = async () => (await post(parts.login, BASIC)).json.token as string
  const whoami = () =>
    apiView({
      authentication: [parts.authentication],
      permissions: [isAuthenticated],
      post: (request) => ({ user: request.user.username }),
    })

  it('has the defaults of REST_KNOX', () => {
    expect(parts.policy).toEqual({
      name: 'knox',
      prefix: '',
      hexDigits: 64,
      format: null,
      onePerUser: false,
      shownAgain: false,
      ttlSeconds: 36_000,
      maxTtlSeconds: null,
      limitPerUser: null,
      renewal: null,
      isKnownScope: null,
      tracksUse: false,
      ownerScopes: null,
    })
    expect(parts.authentication.challenge).toBe('Token')
    expect(knox({ autoRefresh: true }).policy.renewal).toEqual({
      minIntervalSeconds: 60,
      maxTtlSeconds: null,
    })
  })

  it('names the option that cannot work', () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      policyName: ['', 'Two words', 7],
      ttlSeconds: [Number.NaN, '10h'],
      tokenLength: [63, 30, 2000, '64x'],
      tokenPrefix: ['12345678901', 'a b', 'ü', null],
      limitPerUser: [0, 1.5, '2'],
      autoRefresh: ['yes'],
      tokenTtl: [3600],
      minRefreshIntervalSeconds: [-1, Number.NaN, null],
      autoRefreshMaxTtlSeconds: [0, -1, '1d'],
      headerPrefix: ['', 'two words'],
      expiryFormat: ['', null],
      timeZone: ['', 'Mars/Olympus'],
      userInResponse: ['yes', null],
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        expect(() => knox({ [name]: value }), `${name} ${String(value)}`).toThrow(TypeError)
        expect(() => knox({ [name]: value }), `${name} ${String(value)}`).toThrow(new RegExp(`^${name}:`))
      }
    }
  })

  it('logs in with Basic, expiry first, and forbids every cache to keep the answer', async () => {
    const { status, text, headers } = await post(parts.login, BASIC)
    expect(status).toBe(200)
    expect(text).toMatch(/^\{"expiry":"2030-01-01T22:00:00\.123000Z","token":"[0-9a-f]{64}"\}$/)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', allow: 'POST, OPTIONS', vary: 'Accept' })
  })

  it('updates lastLogin and tells logins and logouts, with hints and without secrets', async () => {
    const token = await loggedIn()
    const hint = `…${token.slice(-4)}`
    const about = { policy: 'knox', address: '127.0.0.1' }
    expect((await latchkey.users.get(user.id))?.lastLogin).toEqual(new Date(START_MS))
    expect(events).toEqual([
      { kind: 'user_logged_in', user: { ...user, lastLogin: new Date(START_MS) }, hint, ...about },
    ])
    await post(parts.logout, `Token ${token}`)
    const second = await loggedIn()
    await post(parts.logoutAll, `Token ${second}`)
    expect(events.map(({ kind }) => kind)).toEqual([
      'user_logged_in',
      'user_logged_out',
      'user_logged_in',
      'user_logged_out',
    ])
    expect(events[1]).toMatchObject({ user: { id: user.id }, hint, ...about })
    expect(events[3]).toMatchObject({ user: { id: user.id }, hint: null, ...about })
    for (const secret of [token, second]) expect(JSON.stringify(events)).not.toContain(secret.slice(0, 10))
  })

  it('tells failed logins, here and at /api-token-auth/, and no success there', async () => {
    const failed = { kind: 'user_login_failed', username: 'vitor', address: '127.0.0.1' }
    await post(parts.login, WRONG)
    expect(events).toEqual([failed])
    const credentials = (password: string): FakeRequestOptions => ({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'vitor', password }),
    })
    await post(obtainAuthToken(), undefined, credentials('wrong'))
    await post(obtainAuthToken(), undefined, {
      ...credentials('x'),
      body: '{"username":"nobody","password":"x"}',
    })
    expect((await post(obtainAuthToken(), undefined, credentials('open sesame 1'))).status).toBe(200)
    await latchkey.users.deactivate(user)
    await post(parts.login, BASIC)
    expect(events).toEqual([failed, failed, { ...failed, username: 'nobody' }, failed])
  })

  it('goes on when a listener throws, and tells onError', async () => {
    onEvent = () => {
      throw new Error('the listener failed')
    }
    expect((await post(parts.login, BASIC)).status).toBe(200)
    expect(errors).toEqual(['EVENT user_logged_in: Error: the listener failed'])
  })

  it('answers 403 with `error` at the limit, until a logout or an expiry makes room', async () => {
    await start({ limitPerUser: 2, ttlSeconds: 100 })
    const first = await loggedIn()
    await loggedIn()
    const full = await post(parts.login, BASIC)
    expect([full.status, full.json]).toEqual([
      403,
      { error: 'Maximum amount of tokens allowed per user exceeded.' },
    ])
    expect((await latchkey.users.get(user.id))?.lastLogin).toEqual(new Date(START_MS))
    await post(parts.logout, `Token ${first}`)
    await loggedIn()
    clock.advance(100)
    await loggedIn()
    expect(events.filter(({ kind }) => kind === 'user_logged_in')).toHaveLength(4)
  })

  it('writes the expiry in any format and time zone, and null for never', async () => {
    const expiry = async (options: KnoxOptions) => {
      await start(options)
      return (await post(parts.login, BASIC)).json.expiry
    }
    expect(await expiry({ timeZone: 'America/Sao_Paulo' })).toBe('2030-01-01T19:00:00.123000-03:00')
    expect(await expiry({ timeZone: 'Asia/Kolkata', expiryFormat: '%d/%m/%Y %H:%M %Q' })).toBe(
      '02/01/2030 03:30 %Q',
    )
    expect(await expiry({ ttlSeconds: null })).toBeNull()
    expect(await expiry({ ttlSeconds: -3600 })).toBe('2030-01-01T11:00:00.123000Z')
  })

  it('adds the user to the answer, as a name or as the app wants it', async () => {
    await start({ userInResponse: true })
    expect((await post(parts.login, BASIC)).json.user).toEqual({ username: 'vitor' })
    await start({ userInResponse: ({ id, email }) => ({ id, email }) })
    expect((await post(parts.login, BASIC)).json.user).toEqual({ id: user.id, email: '' })
  })

  it('lets the app write the whole answer', async () => {
    await start({
      loginResponse: ({ secret, expiry, token }, { path }) =>
        response({ access_token: secret.reveal(), until: expiry, id: token.id, path }, { status: 201 }),
    })
    const { status, json, headers } = await post(parts.login, BASIC, { url: '/login/' })
    expect(status).toBe(201)
    expect(json).toMatchObject({ until: '2030-01-01T22:00:00.123000Z', path: '/login/' })
    expect(headers['cache-control']).toBe('no-store')
    expect((await post(whoami(), `Token ${json.access_token}`)).json).toEqual({ user: 'vitor' })
  })

  it('logs out one token, or all of the user, with an empty 204', async () => {
    const tokens = [await loggedIn(), await loggedIn(), await loggedIn()]
    const statuses = async () =>
      Promise.all(tokens.map(async (token) => (await post(whoami(), `Token ${token}`)).status))
    expect(await statuses()).toEqual([200, 200, 200])
    const answer = await post(parts.logout, `Token ${tokens[0]}`)
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([204, null, undefined])
    expect(await statuses()).toEqual([401, 200, 200])
    expect((await post(parts.logoutAll, `Token ${tokens[1]}`)).status).toBe(204)
    expect(await statuses()).toEqual([401, 401, 401])
  })

  it('answers a browser with a page', async () => {
    const { status, headers } = await post(parts.logout, `Token ${await loggedIn()}`, {
      headers: { accept: 'text/html' },
    })
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  })

  it('ends a token once under concurrent logouts, renewals and logins, and nobody gets a 500', async () => {
    await start({ autoRefresh: true, minRefreshIntervalSeconds: 0, ttlSeconds: 100 })
    const token = await loggedIn()
    events = []
    clock.advance(10)
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        post(index % 3 === 0 ? parts.logout : whoami(), `Token ${token}`),
      ),
    )
    for (const { status } of answers) expect([200, 204, 401]).toContain(status)
    expect(events.map(({ kind }) => kind)).toEqual(['user_logged_out'])
    expect((await post(whoami(), `Token ${token}`)).status).toBe(401)
    expect(errors).toEqual([])
  })

  describe('side by side with other kinds of tokens, under one keyword', () => {
    const jwts: SecretKind = {
      recognises: (secret) => secret.split('.').length === 3,
      verify(secret) {
        if (secret !== 'aaa.bbb.ccc') {
          throw new LatchkeyError('authentication_failed', { message: 'Token is invalid' })
        }
        return { user, auth: { jwt: secret } }
      },
    }
    const hello = (...accepted: readonly string[]) =>
      apiView({
        authentication: [tokenAuthentication({ policies: accepted, kinds: [jwts] })],
        permissions: [isAuthenticated],
        post: (request) => ({ user: request.user.username }),
      })

    it('takes them all by their shape, and logs nobody out', async () => {
      const old = (await latchkey.tokens.getOrCreate({ user })).secret.reveal()
      const secrets = [old, await loggedIn(), 'aaa.bbb.ccc']
      for (const secret of secrets)
        expect((await post(hello('authtoken', 'knox'), `token ${secret}`)).json).toEqual({ user: 'vitor' })
      expect((await post(hello('authtoken', 'knox'), 'Token aaa.bbb.xxx')).json).toEqual({
        detail: 'Token is invalid',
      })
    })

    it('refuses what is not on the list as if it did not exist', async () => {
      const old = (await latchkey.tokens.getOrCreate({ user })).secret.reveal()
      const fresh = await loggedIn()
      const refusal = { status: 401, json: { detail: 'Invalid token.' } }
      expect(await post(hello('knox'), `Token ${old}`)).toMatchObject(refusal)
      expect(await post(hello('authtoken'), `Token ${fresh}`)).toMatchObject(refusal)
      await latchkey.users.deactivate(user)
      expect(await post(hello('authtoken'), `Token ${fresh}`)).toMatchObject(refusal)
    })
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { basicAuthentication } from '../authenticators/basic.js'
import { remoteUserAuthentication } from '../authenticators/remote-user.js'
import { sessionAuthentication } from '../authenticators/session.js'
import { tokenAuthentication } from '../authenticators/token.js'
import { LatchkeyError } from '../errors.js'
import type { Identity } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import type { LatchkeyOptions } from '../latchkey-options.js'
import { argon2id } from '../passwords/argon2id.js'
import { allowAny } from '../permissions/allow-any.js'
import { all, any, not } from '../permissions/combine.js'
import { isAdminUser } from '../permissions/is-admin.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { isAuthenticatedOrReadOnly } from '../permissions/is-authenticated-or-read-only.js'
import { type Permission, permission } from '../permissions/permission.js'
import { memoryStore } from '../stores/memory.js'
import { actingAs } from '../testing/acting-as.js'
import { type FakeRequestOptions, fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { throttleByAddress } from '../throttles/by-address.js'
import { throttleAnonymous } from '../throttles/by-anonymous.js'
import { throttleByUser } from '../throttles/by-user.js'
import { throttleScope } from '../throttles/scoped.js'
import { apiView } from './api-view.js'
import { response } from './response.js'
import type { View } from './view.js'

const hello = () => ({ message: 'Hello, World!' })
const PROVIDED = { detail: 'Authentication credentials were not provided.' }
const DENIED = { detail: 'You do not have permission to perform this action.' }

describe('apiView', () => {
  const clock = fixedClock()
  let latchkey: Latchkey
  let token: string
  let staffToken: string
  let errors: unknown[]

  const build = (options: Partial<LatchkeyOptions> = {}) =>
    createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      clock,
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      onError: (error) => errors.push(error),
      ...options,
    })

  beforeEach(async () => {
    errors = []
    latchkey = build()
    const user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
    token = (await latchkey.tokens.issue({ user })).secret.reveal()
    const staff = await latchkey.users.create({ username: 'staff', isStaff: true })
    staffToken = (await latchkey.tokens.issue({ user: staff })).secret.reveal()
  })

  async function ask(view: View, options: FakeRequestOptions = {}) {
    const { status, headers, body } = await latchkey.handler(view)(fakeRequest(options))
    const text = typeof body === 'string' ? body : null
    return {
      status,
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      text,
      json: text?.startsWith('{') ? JSON.parse(text) : null,
    }
  }
  const withToken = (secret = token, options: FakeRequestOptions = {}): FakeRequestOptions => ({
    ...options,
    headers: { authorization: `Token ${secret}`, ...options.headers },
  })

  it('is closed unless it says otherwise', async () => {
    expect(await ask(apiView({ get: hello }))).toMatchObject({
      status: 401,
      json: PROVIDED,
      headers: { 'www-authenticate': 'Token', allow: 'GET, HEAD, OPTIONS', vary: 'Accept' },
    })
    expect(await ask(apiView({ permissions: [allowAny], get: hello }))).toMatchObject({
      status: 200,
      json: hello(),
    })
  })

  it('gives handlers the user and the token', async () => {
    const view = apiView({
      permissions: [isAuthenticated],
      get: ({ user, auth }) => ({ user: user.username, auth: (auth as { policy: string }).policy }),
    })
    expect((await ask(view, withToken())).json).toEqual({ user: 'vitor', auth: 'authtoken' })
  })

  it('takes the function form for the methods that are named', async () => {
    const view = apiView(['GET', 'POST'], ({ method }) => ({ method }), { permissions: [allowAny] })
    expect((await ask(view, { method: 'POST' })).json).toEqual({ method: 'POST' })
    expect(await ask(view, { method: 'PUT' })).toMatchObject({
      status: 405,
      json: { detail: 'Method "PUT" not allowed.' },
      headers: { allow: 'GET, POST, HEAD, OPTIONS' },
    })
    expect(() => apiView(['GET', 'NOPE' as 'GET'], hello)).toThrow(/^methods:/)
    expect(() => apiView({})).toThrow(/handler/)
  })

  it('asks who you are before it says that the method is wrong', async () => {
    expect(await ask(apiView({ get: hello }), { method: 'DELETE' })).toMatchObject({ status: 401 })
    expect(await ask(apiView({ get: hello }), withToken(token, { method: 'FOO' }))).toMatchObject({
      status: 405,
    })
  })

  it('lets the first authenticator decide between 401 and 403, and its challenge only', async () => {
    const chains = [
      [[tokenAuthentication(), sessionAuthentication()], 401, 'Token'],
      [[sessionAuthentication(), tokenAuthentication()], 403, undefined],
      [[basicAuthentication({ realm: 'x' }), tokenAuthentication()], 401, 'Basic realm="x"'],
      [[tokenAuthentication({ keyword: 'Bearer' })], 401, 'Bearer'],
      [[], 403, undefined],
    ] as const
    for (const [authentication, status, challenge] of chains) {
      const view = apiView({ authentication, get: hello })
      const { headers, ...answer } = await ask(view)
      expect(answer.status).toBe(status)
      expect(headers['www-authenticate']).toBe(challenge)
      expect(answer.json).toEqual(authentication.length === 0 ? DENIED : PROVIDED)
    }
  })

  it('stops at the first authenticator that raises', async () => {
    const view = apiView({ authentication: [tokenAuthentication(), basicAuthentication()], get: hello })
    const good = `Basic ${Buffer.from('vitor:open sesame 1').toString('base64')}`
    expect((await ask(view, { headers: { authorization: good } })).status).toBe(200)
    expect(await ask(view, { headers: { authorization: 'Token bad' } })).toMatchObject({
      status: 401,
      json: { detail: 'Invalid token.' },
    })
    expect(await ask(view, { headers: { authorization: `Token bad,${good}` } })).toMatchObject({
      status: 401,
    })
  })

  it('refuses a bad credential on an open view too', async () => {
    const view = apiView({ permissions: [allowAny], get: hello })
    expect((await ask(view, withToken('bad'))).status).toBe(401)
    expect((await ask(view, { headers: { authorization: 'Other x' } })).status).toBe(200)
  })

  it('believes a remote user from the proxies that were named, and nobody else', async () => {
    const authentication = [remoteUserAuthentication({ trustedProxies: ['10.0.0.1'] })]
    const view = apiView({ authentication, get: ({ user }) => ({ user: user?.username }) })
    const headers = { 'remote-user': 'vitor' }
    expect((await ask(view, { headers, remoteAddress: '10.0.0.1' })).json).toEqual({ user: 'vitor' })
    expect((await ask(view, { headers, remoteAddress: '10.0.0.2' })).status).toBe(403)
    expect(
      (await ask(view, { headers: { 'remote-user': 'nobody' }, remoteAddress: '10.0.0.1' })).status,
    ).toBe(403)
    expect(() => remoteUserAuthentication({ trustedProxies: [] })).toThrow(/^trustedProxies:/)
  })

  it('combines permissions', async () => {
    const named = permission('IsVitor', ({ user }) => user?.username === 'vitor', { message: 'Vitor only.' })
    const table = [
      [[isAdminUser], 403, 200],
      [[isAuthenticated, isAdminUser], 403, 200],
      [[all(isAuthenticated, not(isAdminUser))], 200, 403],
      [[any(isAdminUser, named)], 200, 200],
      [[named], 200, 403],
      [[not(allowAny)], 403, 403],
    ] as const
    for (const [permissions, user, staff] of table) {
      const view = apiView({ permissions, get: hello })
      expect((await ask(view, withToken())).status).toBe(user)
      expect((await ask(view, withToken(staffToken))).status).toBe(staff)
      expect((await ask(view)).status).toBe(401)
    }
    const refused = await ask(apiView({ permissions: [named], get: hello }), withToken(staffToken))
    expect(refused.json).toEqual({ detail: 'Vitor only.' })
  })

  it.each([
    ['a promise', async () => false],
    ['a promise that is broken', () => Promise.reject(new Error('nobody waits for it'))],
    ['a text', () => 'no'],
    ['a number', () => 1],
  ])('lets nobody in by a permission that gives %s', async (_what, allows) => {
    const careless: Permission = Reflect.apply(permission, undefined, ['Careless', allows])
    for (const one of [careless, all(isAuthenticated, careless), any(careless, careless), not(careless)]) {
      const view = apiView({ permissions: [one], get: hello })
      expect((await ask(view, withToken())).status).toBe(500)
      const outcome = await latchkey.gate([one])(fakeRequest(withToken()))
      expect(outcome.refusal?.status).toBe(500)
    }
    expect(errors.map(String)).toContainEqual(expect.stringContaining('the permission Careless'))
  })

  it('takes a permission that gives nothing for a no', async () => {
    const staffOnly = permission(
      'Staff',
      (({ user }: Identity) => user?.isStaff || undefined) as () => boolean,
    )
    const view = apiView({ permissions: [staffOnly], get: hello })
    expect((await ask(view, withToken())).status).toBe(403)
    expect((await ask(view, withToken(staffToken))).status).toBe(200)
    // Nor is it a no that `not` makes a yes of.
    const negated = apiView({ permissions: [not(staffOnly)], get: hello })
    for (const one of [token, staffToken]) expect((await ask(negated, withToken(one))).status).toBe(403)
  })

  it('lets anybody read and somebody write', async () => {
    const view = apiView({ permissions: [isAuthenticatedOrReadOnly], get: hello, post: ({ data }) => data })
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await ask(view, { method })).status).toBe(200)
    expect((await ask(view, { method: 'POST' })).status).toBe(401)
  })

  it('describes itself to OPTIONS', async () => {
    const view = apiView({ permissions: [allowAny], name: 'Hello', description: 'Says hello.', get: hello })
    expect((await ask(view, { method: 'OPTIONS' })).json).toEqual({
      name: 'Hello',
      description: 'Says hello.',
      renders: ['application/json', 'text/html'],
      parses: ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'],
    })
  })

  it('answers with a status, headers and no body when asked to', async () => {
    const view = apiView({
      permissions: [allowAny],
      get: () => response({ id: 1 }, { status: 201, headers: { Location: '/1/' } }),
      post: () => undefined,
      delete: () => response(undefined, { status: 204 }),
    })
    expect(await ask(view)).toMatchObject({ status: 201, headers: { location: '/1/' }, json: { id: 1 } })
    for (const [method, status] of [
      ['POST', 200],
      ['DELETE', 204],
    ] as const) {
      const answer = await ask(view, { method })
      expect(answer).toMatchObject({ status, text: null })
      expect(answer.headers['content-type']).toBeUndefined()
    }
    expect(() => response(null, { status: 99 })).toThrow(/^status:/)
  })

  it('sends one Content-Type, the one of the answer; and one Allow, its own', async () => {
    const headers = { 'Content-Type': 'application/problem+json', allow: 'PATCH' }
    const view = apiView({ permissions: [allowAny], get: () => response({}, { headers }) })
    const sent = (await latchkey.handler(view)(fakeRequest())).headers
    const named = (name: string) =>
      sent.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
    expect(named('content-type')).toEqual(['application/problem+json'])
    expect(named('allow')).toEqual(['GET, HEAD, OPTIONS'])
  })

  it('sends the bytes of a renderer as they are', async () => {
    const bytes = Uint8Array.of(0, 255, 254, 1)
    const octets = {
      mediaType: 'application/octet-stream',
      format: 'bin',
      contentType: 'application/octet-stream',
    }
    const renderers = [{ ...octets, render: () => ({ body: bytes }) }]
    const view = apiView({ permissions: [allowAny], renderers, get: hello })
    expect(await latchkey.handler(view)(fakeRequest())).toMatchObject({ status: 200, body: bytes })
  })

  it('does not make an empty answer of a Response that a handler returned', async () => {
    const view = apiView({ permissions: [allowAny], get: () => new Response('abc') })
    expect((await ask(view)).status).toBe(500)
    expect(String(errors[0])).toContain('returned a Response')
  })

  it('takes every request for the user of a test', async () => {
    const [user = null] = await latchkey.users.list()
    const whoami = ({ user, auth }: { user: { username: string } | null; auth: unknown }) => ({
      user: user?.username ?? null,
      auth,
    })
    const as = (...who: Parameters<typeof actingAs>) =>
      ask(apiView({ authentication: [actingAs(...who)], permissions: [allowAny], get: whoami }))
    expect((await as(user)).json).toEqual({ user: 'vitor', auth: null })
    expect((await as(user, { id: 1 })).json).toEqual({ user: 'vitor', auth: { id: 1 } })
    expect((await as(null)).json).toEqual({ user: null, auth: null })
  })

  it('turns a programming error into JSON that says nothing, and tells the listener', async () => {
    const boom = new Error('the password is hunter2')
    for (const view of [
      apiView({ permissions: [allowAny], get: () => Promise.reject(boom) }),
      apiView({ permissions: [allowAny], get: () => ({ loop: () => undefined, value: Number.NaN }) }),
    ]) {
      const answer = await ask(view)
      expect(answer).toMatchObject({ status: 500, json: { detail: 'A server error occurred.' } })
    }
    expect(errors).toHaveLength(2)
    expect(errors[0]).toBe(boom)
  })

  it('answers trouble below with 503 and never shows its detail', async () => {
    const trouble = new LatchkeyError('store_unavailable', {
      detail: '/var/secret/path is full',
      retryAfterSeconds: 1,
    })
    const view = apiView({ permissions: [allowAny], get: () => Promise.reject(trouble) })
    const answer = await ask(view)
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(answer.text).not.toContain('/var')
    expect(errors).toEqual([trouble])
  })

  it('refuses bodies beyond the limit, unknown types and broken ones', async () => {
    const view = apiView({
      permissions: [allowAny],
      maxBodyBytes: 20,
      post: async ({ data }) => ({ data: data() }),
    })
    const read = apiView({ permissions: [allowAny], maxBodyBytes: 20, post: (request) => request.data() })
    expect(view.policy.maxBodyBytes).toBe(20)
    const json = { 'content-type': 'application/json' }
    const post = (body: string, headers: Record<string, string>) =>
      ask(read, { method: 'POST', body, headers })
    expect((await post('{"a":1}', json)).json).toEqual({ a: 1 })
    expect((await post('x'.repeat(21), json)).status).toBe(413)
    expect((await post('{', json)).status).toBe(400)
    expect((await post('a', { 'content-type': 'text/csv' })).json).toEqual({
      detail: 'Unsupported media type "text/csv" in request.',
    })
    expect((await post('', { 'content-type': 'text/csv' })).json).toEqual({})
  })

  it('throttles by address before it looks at credentials', async () => {
    const view = apiView({ throttles: [throttleByAddress('2/min')], get: hello })
    expect((await ask(view, withToken('bad'))).status).toBe(401)
    expect((await ask(view, withToken('bad'))).status).toBe(401)
    expect(await ask(view, withToken())).toMatchObject({
      status: 429,
      headers: { 'retry-after': '60' },
      json: { detail: 'Request was throttled. Expected available in 60 seconds.' },
    })
    expect((await ask(view, { ...withToken(), remoteAddress: '127.0.0.2' })).status).toBe(200)
    clock.advance(60)
    expect((await ask(view, withToken())).status).toBe(200)
  })

  it('throttles users and scopes by who asks, and does not count refusals', async () => {
    for (const throttle of [throttleByUser('1/min'), throttleScope('uploads', '1/min')]) {
      const view = apiView({ throttles: [throttle], get: hello })
      expect((await ask(view)).status).toBe(401)
      expect((await ask(view, withToken())).status).toBe(200)
      expect((await ask(view, { ...withToken(), remoteAddress: '127.0.0.9' })).status).toBe(429)
      expect((await ask(view, withToken(staffToken))).status).toBe(200)
    }
  })

  it('throttles those who are nobody, and does not count who is somebody', async () => {
    const throttles = [throttleAnonymous('2/min')]
    const view = apiView({ permissions: [allowAny], throttles, get: hello })
    const statuses = async (options: FakeRequestOptions) => {
      const answers = []
      for (let index = 0; index < 3; index += 1) answers.push((await ask(view, options)).status)
      return answers
    }
    expect(await statuses(withToken())).toEqual([200, 200, 200])
    expect(await statuses({})).toEqual([200, 200, 429])
    expect(await statuses(withToken())).toEqual([200, 200, 200])
    expect(await statuses({ remoteAddress: '127.0.0.9' })).toEqual([200, 200, 429])
    const closed = apiView({ throttles: [throttleAnonymous('1/day')], get: hello })
    for (let index = 0; index < 3; index += 1) expect((await ask(closed)).status).toBe(401)
  })

  it('counts two rates of one kind on their own', async () => {
    const view = apiView({ throttles: [throttleByUser('3/min'), throttleByUser('5/day')], get: hello })
    const statuses: number[] = []
    for (let index = 0; index < 8; index += 1) {
      if (index === 4) clock.advance(60)
      statuses.push((await ask(view, withToken())).status)
    }
    expect(statuses).toEqual([200, 200, 200, 429, 200, 429, 429, 429])
  })

  it('believes X-Forwarded-For of configured proxies only', async () => {
    latchkey = build({ trustedProxies: ['127.0.0.1'] })
    const view = apiView({ permissions: [allowAny], throttles: [throttleByAddress('1/min')], get: hello })
    const from = (forwarded: string, remoteAddress = '127.0.0.1') =>
      ask(view, { headers: { 'x-forwarded-for': forwarded }, remoteAddress })
    expect((await from('192.0.2.1')).status).toBe(200)
    expect((await from('192.0.2.1')).status).toBe(429)
    expect((await from('6.6.6.6, 192.0.2.1')).status).toBe(429)
    expect((await from('192.0.2.2')).status).toBe(200)
    expect((await from('192.0.2.3', '192.0.2.9')).status).toBe(200)
    expect((await from('192.0.2.4', '192.0.2.9')).status).toBe(429)
  })

  it('names the option that cannot work', () => {
    const wrong: Array<[Partial<LatchkeyOptions>, RegExp]> = [
      [{ secret: undefined }, /^secret:/],
      [{ secret: 'short' }, /^secret:/],
      [{ loginRate: 'often' }, /^loginRate:/],
      [{ trustedProxies: ['me'] }, /^trustedProxies:/],
      [{ maxBodyBytes: -1 }, /^maxBodyBytes:/],
      [{ renderers: [] }, /^renderers:/],
      [{ sessions: { ttlSeconds: 0 } }, /^sessions.ttlSeconds:/],
    ]
    for (const [options, message] of wrong) expect(() => build(options)).toThrow(message)
    expect(() => tokenAuthentication({ keyword: 'two words' })).toThrow(/^keyword:/)
    expect(() => basicAuthentication({ realm: 'a"b' })).toThrow(/^realm:/)
  })
})

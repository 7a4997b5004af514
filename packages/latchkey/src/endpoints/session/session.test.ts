/** Session login and logout as a browser sees them. */
import { beforeEach, expect, it } from 'vitest'
import { sessionAuthentication } from '../../authenticators/session.js'
import type { LatchkeyEvent } from '../../events.js'
import { createLatchkey, type Latchkey } from '../../latchkey.js'
import { argon2id } from '../../passwords/argon2id.js'
import { isAuthenticated } from '../../permissions/is-authenticated.js'
import type { HttpResponse } from '../../request.js'
import { memoryStore } from '../../stores/memory.js'
import { type FakeRequestOptions, fakeRequest } from '../../testing/fake-request.js'
import { fixedClock } from '../../testing/fixed-clock.js'
import { apiView } from '../../views/api-view.js'
import type { View } from '../../views/view.js'
import { sessionLogin } from './session-login.js'
import { sessionLogout } from './session-logout.js'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'
const GOOD = JSON.stringify({ username: 'vitor', password: 'open sesame 1' })

const clock = fixedClock()
let latchkey: Latchkey
let events: LatchkeyEvent[]
beforeEach(async () => {
  events = []
  latchkey = createLatchkey({
    store: memoryStore(),
    clock,
    secret: 'a secret of at least thirty-two characters',
    passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
    loginRate: '3/min',
    onEvent: (event) => events.push(event),
  })
  await latchkey.users.create({ username: 'vitor', email: 'v@example.com', password: 'open sesame 1' })
})

interface Answer {
  readonly status: number
  readonly data: unknown
  readonly headers: ReadonlyMap<string, string>
  /** By name: value and attributes. */
  readonly cookies: Readonly<
    Record<string, { readonly value: string; readonly attributes: readonly string[] }>
  >
}

async function post(view: View, request: FakeRequestOptions = {}): Promise<Answer> {
  const { headers, ...others } = request
  const answer: HttpResponse = await latchkey.handler(view)(
    fakeRequest({
      method: 'POST',
      ...others,
      headers: { host: 'api.test', 'content-type': JSON_TYPE, ...headers },
    }),
  )
  const lines = answer.headers.filter(([name]) => name === 'Set-Cookie').map(([, line]) => line)
  return {
    status: answer.status,
    data: answer.body === null || answer.body === '' ? null : JSON.parse(String(answer.body)),
    headers: new Map(answer.headers),
    cookies: Object.fromEntries(
      lines.map((line) => {
        const [pair = '', ...attributes] = line.split('; ')
        const [name = '', value = ''] = pair.split('=')
        return [name, { value, attributes }]
      }),
    ),
  }
}

const login = (request: FakeRequestOptions = {}) => post(sessionLogin(), { body: GOOD, ...request })
const session = (answer: Answer) => answer.cookies.sessionid?.value ?? ''
const csrf = (answer: Answer) => answer.cookies.csrftoken?.value ?? ''
const cookieOf = (answer: Answer) => `sessionid=${session(answer)}; csrftoken=${csrf(answer)}`

it('logs in with JSON and forms, and sets cookies that keep the session at home', async () => {
  for (const [type, body] of [
    [JSON_TYPE, GOOD],
    [FORM_TYPE, 'username=vitor&password=open+sesame+1'],
  ] as const) {
    const answer = await login({ headers: { 'content-type': type }, body })
    expect([answer.status, answer.data]).toEqual([
      200,
      { id: 1, username: 'vitor', email: 'v@example.com', is_staff: false, is_superuser: false },
    ])
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(session(answer)).toMatch(/^[0-9a-f]{64}$/)
    expect(answer.cookies.sessionid?.attributes).toEqual([
      'Max-Age=1209600',
      'Path=/',
      'SameSite=Lax',
      'HttpOnly',
    ])
    expect(answer.cookies.csrftoken?.attributes).toEqual(['Max-Age=1209600', 'Path=/', 'SameSite=Lax'])
    expect((await latchkey.sessions.verify(session(answer)))?.username).toBe('vitor')
  }
  expect(events).toMatchObject([
    { kind: 'user_logged_in', policy: 'session', user: { username: 'vitor', lastLogin: expect.any(Date) } },
    { kind: 'user_logged_in' },
  ])
})

it('marks its cookies Secure over TLS, or always where it is told to', async () => {
  const isSecure = (answer: Answer) =>
    ['sessionid', 'csrftoken'].map((name) => answer.cookies[name]?.attributes.includes('Secure'))
  expect(isSecure(await login({ secure: true }))).toEqual([true, true])
  expect(isSecure(await login())).toEqual([false, false])
  expect(isSecure(await post(sessionLogin({ secure: true }), { body: GOOD }))).toEqual([true, true])
  expect(isSecure(await post(sessionLogout({ secure: true })))).toEqual([true, true])
})

it('ends the session before it, takes no secret from outside, and turns the CSRF token', async () => {
  const before = await login()
  const after = await login({ headers: { cookie: cookieOf(before) } })
  expect(session(after)).not.toBe(session(before))
  expect(csrf(after)).not.toBe(csrf(before))
  expect(await latchkey.sessions.verify(session(before))).toBeNull()
  expect(await latchkey.sessions.verify(session(after))).not.toBeNull()
  const planted = 'f'.repeat(64)
  expect(session(await login({ headers: { cookie: `sessionid=${planted}` } }))).not.toBe(planted)
  expect(await latchkey.sessions.verify(planted)).toBeNull()
})

it('keeps the session before it when the password is wrong, and counts the guess', async () => {
  const before = await login()
  const wrong = { headers: { cookie: cookieOf(before) }, body: GOOD.replace('sesame', 'wrong') }
  for (const status of [400, 400, 400, 429]) {
    const answer = await login(wrong)
    expect([answer.status, answer.cookies]).toEqual([status, {}])
  }
  expect(await latchkey.sessions.verify(session(before))).not.toBeNull()
  expect((await login({ ...wrong, body: '{}' })).data).toEqual({
    username: ['This field is required.'],
    password: ['This field is required.'],
  })
})

it('takes no login and no logout from pages of other origins, and no password is checked for them', async () => {
  const { cookies } = await login()
  const cookie = `sessionid=${cookies.sessionid?.value}; csrftoken=${cookies.csrftoken?.value}`
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
    for (const [view, body] of [
      [sessionLogin(), GOOD],
      [sessionLogin(), GOOD.replace('sesame', 'wrong')],
      [sessionLogout(), ''],
    ] as const) {
      const answer = await post(view, {
        body,
        headers: { ...headers, cookie, 'x-csrftoken': cookies.csrftoken?.value ?? '' },
      })
      expect([answer.status, answer.cookies]).toEqual([403, {}])
    }
    // Without cookies a page could still have them cleared.
    expect((await post(sessionLogout(), { headers })).cookies).toEqual({})
  }
  expect(await latchkey.sessions.verify(cookies.sessionid?.value ?? '')).not.toBeNull()
  expect(events).toHaveLength(1)
  expect((await login({ headers: { origin: 'http://api.test' } })).status).toBe(200)
})

it('logs out with the CSRF token alone, as a header or a form field', async () => {
  for (const proof of [
    (token: string) => ({ headers: { 'x-csrftoken': token } }),
    (token: string) => ({
      headers: { 'content-type': FORM_TYPE },
      body: `csrfmiddlewaretoken=${token}`,
    }),
  ]) {
    const started = await login()
    const cookie = cookieOf(started)
    const refused = await post(sessionLogout(), { headers: { cookie } })
    expect([refused.status, refused.data, refused.cookies]).toEqual([
      403,
      { detail: 'CSRF Failed: CSRF token missing or incorrect.' },
      {},
    ])
    expect(await latchkey.sessions.verify(session(started))).not.toBeNull()
    const { headers, ...others } = proof(csrf(started))
    const answer = await post(sessionLogout(), { ...others, headers: { cookie, ...headers } })
    expect([answer.status, answer.data]).toEqual([204, null])
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(answer.cookies.sessionid?.attributes).toContain('Max-Age=0')
    expect(answer.cookies.csrftoken?.attributes).toContain('Max-Age=0')
    expect(await latchkey.sessions.verify(session(started))).toBeNull()
  }
  expect(events.filter(({ kind }) => kind === 'user_logged_out')).toMatchObject([
    { policy: 'session', hint: expect.stringMatching(/^….{4}$/) },
    { policy: 'session' },
  ])
})

it('clears cookies of a session that has ended, and without any', async () => {
  const started = await login()
  clock.advance(1_209_600)
  for (const cookie of [cookieOf(started), `sessionid=${session(started)}`, 'sessionid=', 'other=1']) {
    const answer = await post(sessionLogout(), { headers: { cookie } })
    expect([answer.status, Object.keys(answer.cookies)]).toEqual([204, ['sessionid', 'csrftoken']])
  }
  expect((await post(sessionLogout())).status).toBe(204)
})

it('authenticates the requests that follow', async () => {
  const started = await login()
  const view = apiView({
    authentication: [sessionAuthentication()],
    permissions: [isAuthenticated],
    post: ({ user }) => ({ hello: user.username }),
  })
  const headers = { cookie: cookieOf(started), 'x-csrftoken': csrf(started) }
  expect((await post(view, { headers })).data).toEqual({ hello: 'vitor' })
  await post(sessionLogout(), { headers })
  expect((await post(view, { headers })).status).toBe(403)
})

it('answers what the app says, awaited, and refuses options that cannot work', async () => {
  const view = sessionLogin({ answer: async ({ username }) => ({ hello: username }) })
  expect((await post(view, { body: GOOD })).data).toEqual({ hello: 'vitor' })
  const failing = sessionLogin({ answer: () => Promise.reject(new Error('a failure of the app')) })
  latchkey = createLatchkey({ ...{ store: memoryStore(), secret: 'x'.repeat(32) }, onError: () => undefined })
  await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
  expect(await post(failing, { body: GOOD })).toMatchObject({ status: 500, cookies: {} })
  expect(() => sessionLogin({ ...({ cookies: true } as object) })).toThrow(
    /^cookies: sessionLogin has no such option/,
  )
  expect(() => sessionLogout({ ...({ answer: () => ({}) } as object) })).toThrow(
    /^answer: sessionLogout has no such/,
  )
})

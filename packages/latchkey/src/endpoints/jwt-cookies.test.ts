import { createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listener } from '../adapters/node-http.js'
import { jwtAuthentication, jwtStatelessUserAuthentication } from '../authenticators/jwt.js'
import { sessionAuthentication } from '../authenticators/session.js'
import { LatchkeyError } from '../errors.js'
import type { JwtOptions } from '../jwt/jwt-options.js'
import { requireJwts } from '../jwt/jwt-service.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { allowAny } from '../permissions/allow-any.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { apiView } from '../views/api-view.js'
import { tokenBlacklist, tokenObtainPair, tokenRefresh } from './jwt.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
const CREDENTIALS = JSON.stringify({ username: 'vitor', password: 'open sesame 1' })
const HOST = 'app.example.com'
const OWN_PAGE = { origin: `https://${HOST}` }

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: ReadonlyMap<string, string>
  readonly setCookies: readonly string[]
}

interface Asked {
  readonly method?: string
  /** Beside the Cookie header, which is the jar's unless it is given. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A browser and the app that it talks to, over real HTTP: cookies are kept and sent as browsers do. */
class Browser {
  readonly clock = fixedClock()
  readonly jar = new Map<string, string>()
  readonly errors: unknown[] = []
  readonly store = memoryStore()
  readonly latchkey: Latchkey
  readonly #server: Server

  constructor(jwt: Partial<JwtOptions> = {}) {
    this.latchkey = createLatchkey({
      store: this.store,
      secret: 'a secret of at least thirty-two characters',
      clock: this.clock,
      loginRate: null,
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      jwt: { signingKey: key, rotateRefresh: true, blacklistAfterRotation: true, ...jwt },
      onError: (error) => this.errors.push(error),
    })
    const cookies = { cookies: true }
    const views = {
      '/login/': tokenObtainPair({ ...cookies, answer: ({ username }) => ({ username }) }),
      '/refresh/': tokenRefresh(cookies),
      '/logout/': tokenBlacklist(cookies),
      '/whoami/': apiView(['GET', 'POST'], (request) => ({ user: request.user?.username ?? null }), {
        authentication: [jwtAuthentication(cookies)],
        permissions: [allowAny],
      }),
      '/stateless/': apiView(['GET', 'POST'], (request) => ({ user: request.user?.id ?? null }), {
        authentication: [jwtStatelessUserAuthentication(cookies)],
        permissions: [allowAny],
      }),
      '/header-only/': apiView(['GET', 'POST'], (request) => ({ user: request.user?.username ?? null }), {
        authentication: [jwtAuthentication()],
        permissions: [allowAny],
      }),
    }
    const listeners = new Map(
      Object.entries(views).map(([path, view]) => [path, listener(this.latchkey.handler(view))]),
    )
    this.#server = createServer(
      (request, response) => void listeners.get(request.url ?? '')?.(request, response),
    )
  }

  get jwts() {
    return requireJwts(this.latchkey.jwts)
  }

  async start(): Promise<void> {
    await this.latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
    await this.latchkey.close()
  }

  /** `Cookie`, as a browser would send it. */
  cookies(): string {
    return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async ask(path: string, { method = 'POST', headers = {}, body = '' }: Asked = {}): Promise<Answer> {
    const { port } = this.#server.address() as AddressInfo
    const answer = await new Promise<Answer>((resolve, reject) => {
      const sent = { host: HOST, ...(this.jar.size > 0 && { cookie: this.cookies() }), ...headers }
      const request = httpRequest({ port, path, method, headers: sent }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            headers: new Map(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
            setCookies: response.headers['set-cookie'] ?? [],
          }),
        )
      })
      request.on('error', reject)
      request.end(body)
    })
    for (const line of answer.setCookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/; Max-Age=0;/.test(line)) this.jar.delete(name)
      else this.jar.set(name, value)
    }
    return answer
  }

  logIn(headers: Readonly<Record<string, string>> = OWN_PAGE): Promise<Answer> {
    this.jar.clear()
    return this.ask('/login/', {
      headers: { 'content-type': 'application/json', ...headers },
      body: CREDENTIALS,
    })
  }

  /** What a script of our own page sends with every request that changes something. */
  get own(): Readonly<Record<string, string>> {
    return { ...OWN_PAGE, 'x-csrftoken': this.jar.get('csrftoken') ?? '' }
  }
}

const refusal = (detail: string) => ({
  status: 403,
  body: JSON.stringify({ detail: `CSRF Failed: ${detail}` }),
})
const [ACCESS, REFRESH] = ['__Host-jwt_access', '__Host-jwt_refresh']

describe('JWTs in cookies', () => {
  const browser = new Browser()
  beforeAll(() => browser.start())
  afterAll(() => browser.stop())

  const whoami = (asked: Asked = {}) => browser.ask('/whoami/', asked)

  it('are set by a login, and the body holds none', async () => {
    const { status, body, setCookies, headers } = await browser.logIn()
    expect({ status, body }).toEqual({ status: 200, body: '{"username":"vitor"}' })
    expect(headers.get('cache-control')).toBe('no-store')
    const jwt = '[\\w-]+\\.[\\w-]+\\.[\\w-]+'
    expect(setCookies).toEqual([
      expect.stringMatching(`^${ACCESS}=${jwt}; Max-Age=300; Path=/; SameSite=Lax; HttpOnly; Secure$`),
      expect.stringMatching(`^${REFRESH}=${jwt}; Max-Age=86400; Path=/; SameSite=Strict; HttpOnly; Secure$`),
      expect.stringMatching(/^csrftoken=[a-zA-Z0-9]{32}; Max-Age=86400; Path=\/; SameSite=Lax; Secure$/),
    ])
    expect(await whoami({ method: 'GET' })).toMatchObject({ status: 200, body: '{"user":"vitor"}' })
  })

  it('are not on the HTML page either, which shows headers', async () => {
    for (const answer of [
      await browser.logIn({ ...OWN_PAGE, accept: 'text/html' }),
      await browser.ask('/refresh/', { headers: { ...browser.own, accept: 'text/html' } }),
    ]) {
      expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('Set-Cookie') })
      expect(answer.setCookies).toHaveLength(3)
      for (const name of [ACCESS, REFRESH]) expect(answer.body).not.toContain(browser.jar.get(name))
    }
  })

  it('are set for pages of this host alone: nobody is logged in as somebody else', async () => {
    for (const [headers, detail] of [
      [
        { origin: 'https://evil.example' },
        'Origin checking failed - https://evil.example does not match any trusted origins.',
      ],
      [
        { origin: `http://${HOST}` },
        `Origin checking failed - http://${HOST} does not match any trusted origins.`,
      ],
      [{ origin: 'null' }, 'Origin checking failed - null does not match any trusted origins.'],
      [{}, 'Referer checking failed - no Referer.'],
    ] as const) {
      const answer = await browser.logIn(headers)
      expect(answer).toMatchObject(refusal(detail))
      expect(answer.setCookies).toEqual([])
    }
    expect((await browser.logIn({ referer: `https://${HOST}/login` })).status).toBe(200)
  })

  it('need the CSRF token for what changes something, and nothing for what does not', async () => {
    await browser.logIn()
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await whoami({ method })).status).toBe(200)
    expect(await whoami({ headers: browser.own })).toMatchObject({ status: 200, body: '{"user":"vitor"}' })
    const form = {
      headers: { ...OWN_PAGE, 'content-type': 'application/x-www-form-urlencoded' },
      body: `csrfmiddlewaretoken=${browser.jar.get('csrftoken')}`,
    }
    expect(await whoami(form)).toMatchObject({ status: 200, body: '{"user":"vitor"}' })
    for (const [headers, detail] of [
      [OWN_PAGE, 'CSRF token missing or incorrect.'],
      [{ ...OWN_PAGE, 'x-csrftoken': 'z'.repeat(32) }, 'CSRF token missing or incorrect.'],
      [{ ...OWN_PAGE, 'x-csrftoken': '\u00ff'.repeat(32) }, 'CSRF token missing or incorrect.'],
      [{ ...browser.own, cookie: `${ACCESS}=${browser.jar.get(ACCESS)}` }, 'CSRF cookie not set.'],
      [{ 'x-csrftoken': browser.own['x-csrftoken'] ?? '' }, 'Referer checking failed - no Referer.'],
      [
        { ...browser.own, origin: 'https://evil.example' },
        'Origin checking failed - https://evil.example does not match any trusted origins.',
      ],
      [
        { ...browser.own, origin: `https://evil.${HOST}` },
        `Origin checking failed - https://evil.${HOST} does not match any trusted origins.`,
      ],
    ] as const) {
      for (const path of ['/whoami/', '/stateless/']) {
        expect(await browser.ask(path, { headers })).toMatchObject(refusal(detail))
      }
    }
  })

  it('are not read where a header says who asks, and a header needs no CSRF token', async () => {
    const { access } = await browser.jwts.issuePair(await browser.latchkey.users.create({ username: 'ana' }))
    await browser.logIn()
    const evil = { origin: 'https://evil.example' }
    const authorization = `Bearer ${access}`
    expect(await whoami({ headers: { ...evil, authorization } })).toMatchObject({
      status: 200,
      body: '{"user":"ana"}',
    })
    expect(await whoami({ headers: { authorization: 'Bearer a.b.c' } })).toMatchObject({ status: 401 })
    for (const other of ['', 'Basic dml0b3I6eA==', 'bearer x', 'Token x']) {
      for (const method of ['GET', 'POST']) {
        const answer = await whoami({ method, headers: { authorization: other } })
        expect(answer).toMatchObject({ status: 200, body: '{"user":null}' })
      }
    }
  })

  it('are read only where that was asked for, and say so to caches', async () => {
    await browser.logIn()
    const [on, off] = [await whoami({ method: 'GET' }), await browser.ask('/header-only/', { method: 'GET' })]
    expect(on.headers.get('vary')).toBe('Accept, Cookie')
    expect(off).toMatchObject({ status: 200, body: '{"user":null}' })
    expect(off.headers.get('vary')).toBe('Accept')
  })

  it('are renewed from the refresh cookie: rotation, grace and reuse as in the body form', async () => {
    await browser.logIn()
    const first = new Map(browser.jar)
    browser.clock.advance(60)
    const answer = await browser.ask('/refresh/', { headers: browser.own })
    expect(answer).toMatchObject({ status: 200, body: '{}' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.setCookies).toHaveLength(3)
    expect(browser.jar.get(REFRESH)).not.toBe(first.get(REFRESH))
    expect(browser.jar.get(ACCESS)).not.toBe(first.get(ACCESS))
    expect(browser.jar.get('csrftoken')).toBe(first.get('csrftoken'))
    const second = new Map(browser.jar)

    browser.jar.set(REFRESH, first.get(REFRESH) ?? '')
    expect((await browser.ask('/refresh/', { headers: browser.own })).status).toBe(200)
    expect(browser.jar.get(REFRESH)).toBe(second.get(REFRESH))

    browser.clock.advance(10)
    browser.jar.set(REFRESH, first.get(REFRESH) ?? '')
    const reused = await browser.ask('/refresh/', { headers: browser.own })
    expect(reused).toMatchObject({
      status: 401,
      body: '{"detail":"Token is blacklisted","code":"token_not_valid"}',
    })
    expect(reused.headers.get('www-authenticate')).toBe('Bearer realm="api"')
    expect([...browser.jar.keys()]).toEqual(['csrftoken'])
    browser.jar.set(REFRESH, second.get(REFRESH) ?? '')
    expect((await browser.ask('/refresh/', { headers: browser.own })).status).toBe(401)
  })

  it('are neither renewed nor ended without the CSRF token, or without the cookie', async () => {
    await browser.logIn()
    for (const path of ['/refresh/', '/logout/']) {
      for (const headers of [{}, OWN_PAGE, { ...browser.own, origin: 'https://evil.example' }]) {
        const answer = await browser.ask(path, { headers })
        expect(answer.status).toBe(403)
        expect(answer.body).toContain('CSRF Failed: ')
        expect(answer.setCookies).toEqual([])
      }
      const body = JSON.stringify({ refresh: browser.jar.get(REFRESH) })
      const cookie = `csrftoken=${browser.jar.get('csrftoken')}`
      const headers = { ...browser.own, cookie, 'content-type': 'application/json' }
      expect(await browser.ask(path, { headers, body })).toMatchObject({
        status: 401,
        body: '{"detail":"Authentication credentials were not provided."}',
      })
    }
    expect((await browser.ask('/refresh/', { headers: browser.own })).status).toBe(200)
  })

  it('end with a logout, the access token too, and are gone from the browser', async () => {
    await browser.logIn()
    const before = new Map(browser.jar)
    const answer = await browser.ask('/logout/', { headers: browser.own })
    expect(answer).toMatchObject({ status: 200, body: '{}' })
    expect(answer.setCookies).toEqual([
      `${ACCESS}=; Max-Age=0; Path=/; SameSite=Lax; HttpOnly; Secure`,
      `${REFRESH}=; Max-Age=0; Path=/; SameSite=Strict; HttpOnly; Secure`,
    ])
    expect(await whoami({ method: 'GET' })).toMatchObject({ status: 200, body: '{"user":null}' })
    for (const name of [ACCESS, REFRESH]) {
      await expect(browser.jwts.verify(before.get(name) ?? '')).rejects.toMatchObject({
        publicMessage: 'Token is blacklisted',
      })
    }
    browser.jar.set(REFRESH, before.get(REFRESH) ?? '')
    const again = await browser.ask('/logout/', { headers: browser.own })
    expect(again.status).toBe(401)
    expect(again.setCookies).toHaveLength(2)
  })

  it('end with a logout that comes a second after another tab has refreshed', async () => {
    await browser.logIn()
    const before = new Map(browser.jar)
    await browser.ask('/refresh/', { headers: browser.own })
    const successor = browser.jar.get(REFRESH) ?? ''
    browser.clock.advance(1)
    browser.jar.set(REFRESH, before.get(REFRESH) ?? '')
    expect(await browser.ask('/logout/', { headers: browser.own })).toMatchObject({ status: 200, body: '{}' })
    await expect(browser.jwts.refresh(successor)).rejects.toMatchObject({
      publicMessage: 'Token is blacklisted',
    })
  })

  it('stay when the store is in trouble, and the answer is a 503', async () => {
    await browser.logIn()
    const { rotate } = browser.store.jwts
    browser.store.jwts.rotate = () => Promise.reject(new LatchkeyError('store_unavailable'))
    const answer = await browser.ask('/refresh/', { headers: browser.own })
    browser.store.jwts.rotate = rotate
    expect(answer.status).toBe(503)
    expect(answer.setCookies).toEqual([])
    expect(browser.errors.splice(0)).toMatchObject([{ code: 'store_unavailable' }])
    expect((await browser.ask('/refresh/', { headers: browser.own })).status).toBe(200)
  })

  it('are refused whatever their bytes, doubled or huge, and never with a 5xx', async () => {
    await browser.logIn()
    const csrf = `csrftoken=${browser.jar.get('csrftoken')}`
    const good = browser.jar.get(ACCESS) ?? ''
    const bytes = fc
      .uint8Array({ maxLength: 300 })
      .map((some) =>
        Buffer.from(some.filter((byte) => (byte > 31 && byte !== 127) || byte === 9)).toString('latin1'),
      )
    const mutated = fc
      .tuple(fc.nat(good.length - 1), fc.constantFrom('A', '.', '=', '"', ' ', '\u00a0', ','))
      .map(([at, character]) => good.slice(0, at) + character + good.slice(at + 1))
      .filter((text) => text !== good)
    const names = fc.constantFrom(ACCESS, REFRESH, 'csrftoken')
    const requests = fc.constantFrom('/whoami/', '/stateless/', '/refresh/', '/logout/')
    await fc.assert(
      fc.asyncProperty(requests, names, fc.oneof(bytes, mutated), async (path, name, value) => {
        const cookie = `${csrf}; ${name}=${value}`
        const { status, body } = await browser.ask(path, { headers: { ...browser.own, cookie } })
        // A last character of a signature has bits that say nothing; what only they change is the same token.
        const isSame = name === ACCESS && value.slice(0, -1) === good.slice(0, -1)
        if (!isSame) expect([200, 401, 403], body).toContain(status)
        if (status === 200 && !isSame) expect(body).toBe('{"user":null}')
      }),
      { numRuns: 300 },
    )
    for (const cookie of [
      `${ACCESS}=${good}; ${ACCESS}=x`,
      `${ACCESS}="${good}.x"`,
      `${ACCESS}==${good}`,
      `${ACCESS}=${'x'.repeat(8000)}`,
    ]) {
      expect((await whoami({ headers: { ...browser.own, cookie: `${csrf}; ${cookie}` } })).status).toBe(401)
    }
    // The last of equal names counts, as in Django; a __Host- cookie has no equals in a browser.
    const last = `${csrf}; ${ACCESS}=x; ${ACCESS}=${good}`
    expect((await whoami({ headers: { ...browser.own, cookie: last } })).status).toBe(200)
    const near = `${csrf}; jwt_access=${good}; ${ACCESS.toUpperCase()}=${good}; \u00e2\u0080\u0080${ACCESS}=${good}`
    expect(await whoami({ headers: { ...browser.own, cookie: near } })).toMatchObject({
      body: '{"user":null}',
    })
    expect(browser.errors).toEqual([])
  })

  it('of 100 KB are refused before anything is decoded', async () => {
    const view = apiView({
      authentication: [jwtAuthentication({ cookies: true })],
      get: ({ user }) => ({ user: user?.username }),
    })
    for (const value of [
      'x'.repeat(102_400),
      `${'a'.repeat(51_000)}.${'b'.repeat(51_000)}.c`,
      ';'.repeat(102_400),
    ]) {
      const request = fakeRequest({ headers: { cookie: `${ACCESS}=${value}` } })
      expect((await browser.latchkey.handler(view)(request)).status).toBe(401)
    }
  })
})

it('leave the body to the handler behind a guard', async () => {
  const browser = new Browser({ cookies: { secure: false } })
  const user = await browser.latchkey.users.create({ username: 'vitor' })
  const { access } = await browser.jwts.issuePair(user)
  const latchkey = createLatchkey({
    store: browser.store,
    secret: 'a secret of at least thirty-two characters',
    clock: browser.clock,
    authentication: [jwtAuthentication({ cookies: true })],
    jwt: { signingKey: key, cookies: { secure: false } },
  })
  const token = 'c'.repeat(32)
  const request = fakeRequest({
    method: 'POST',
    headers: {
      cookie: `jwt_access=${access}; csrftoken=${token}`,
      'x-csrftoken': token,
      'content-type': 'application/x-www-form-urlencoded',
    },
  })
  const unread = { ...request, body: () => Promise.reject(new Error('the body was read')) }
  expect(await latchkey.gate()(unread)).toMatchObject({ identity: { user: { username: 'vitor' } } })
  const withoutHeader = {
    ...unread,
    header: (name: string) =>
      name === 'x-csrftoken'
        ? undefined
        : name === 'content-type'
          ? 'application/json'
          : request.header(name),
  }
  expect(await latchkey.gate()(withoutHeader)).toMatchObject({ identity: null, refusal: { status: 403 } })
})

describe('JWTs in cookies, other settings', () => {
  const played = async (jwt: Partial<JwtOptions>, play: (browser: Browser) => Promise<void>) => {
    const browser = new Browser(jwt)
    await browser.start()
    try {
      await play(browser)
    } finally {
      await browser.stop()
    }
  }

  it('over plain HTTP lose prefix and Secure, and nothing else', () =>
    played({ cookies: { secure: false, accessName: 'a', refreshName: 'r' } }, async (browser) => {
      const local = { origin: `http://${HOST}` }
      const { setCookies } = await browser.logIn(local)
      expect(setCookies).toEqual([
        expect.stringMatching(/^a=[^;]+; Max-Age=300; Path=\/; SameSite=Lax; HttpOnly$/),
        expect.stringMatching(/^r=[^;]+; Max-Age=86400; Path=\/; SameSite=Strict; HttpOnly$/),
        expect.stringMatching(/^csrftoken=\w{32}; Max-Age=86400; Path=\/; SameSite=Lax$/),
      ])
      const own = { ...local, 'x-csrftoken': browser.jar.get('csrftoken') ?? '' }
      expect(await browser.ask('/whoami/', { headers: own })).toMatchObject({ body: '{"user":"vitor"}' })
      expect(await browser.ask('/whoami/', { headers: local })).toMatchObject({ status: 403 })
      expect((await browser.logIn({ origin: 'http://evil.example' })).status).toBe(403)
      expect((await browser.logIn({})).status).toBe(200)
    }))

  it('without rotation renew the access cookie alone', () =>
    played({ rotateRefresh: false, blacklistAfterRotation: false }, async (browser) => {
      await browser.logIn()
      for (let round = 0; round < 2; round += 1) {
        const { status, setCookies } = await browser.ask('/refresh/', { headers: browser.own })
        expect(status).toBe(200)
        expect(setCookies).toEqual([expect.stringMatching(new RegExp(`^${ACCESS}=`))])
      }
    }))

  it('that no browser would keep are a fault of the claims, said aloud', () =>
    played({ claims: () => ({ much: 'x'.repeat(4000) }) }, async (browser) => {
      const { status, setCookies } = await browser.logIn()
      expect(status).toBe(500)
      expect(setCookies).toEqual([])
      expect(String(browser.errors[0])).toMatch(/^TypeError: jwt.claims: the token does not fit the cookie/)
    }))

  it('stand beside the session cookie, which is asked after them', async () => {
    const browser = new Browser()
    const user = await browser.latchkey.users.create({ username: 'vitor' })
    const { secret } = await browser.latchkey.sessions.start(user)
    const { access } = await browser.jwts.issuePair(user)
    const view = apiView({
      authentication: [jwtAuthentication({ cookies: true }), sessionAuthentication()],
      get: (request) => ({ by: request.auth === null ? 'session' : 'jwt' }),
    })
    const ask = async (cookie: string) =>
      (await browser.latchkey.handler(view)(fakeRequest({ headers: { cookie } }))).body
    expect(await ask(`sessionid=${secret.reveal()}; ${ACCESS}=${access}`)).toBe('{"by":"jwt"}')
    expect(await ask(`sessionid=${secret.reveal()}; ${ACCESS}=`)).toBe('{"by":"session"}')
  })
})

import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import fastifyFramework, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionAuthentication } from '../authenticators/session.js'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { allowAny } from '../permissions/allow-any.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { newCsrfToken } from '../sessions/csrf.js'
import { memoryStore } from '../stores/memory.js'
import { apiView } from '../views/api-view.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import { fetchHandler } from './fetch.js'
import { hono } from './hono.js'
import { fromIncoming, incomingHeader, listener } from './node-http.js'

const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
  maxBodyBytes: 1000,
  onError: () => undefined,
})
const echo = latchkey.handler(
  apiView({ permissions: [allowAny], get: () => ({ ok: true }), post: (request) => request.data() }),
)
const hello = latchkey.handler(
  apiView({ permissions: [isAuthenticated], get: ({ user, address }) => ({ user: user.username, address }) }),
)
const boom = latchkey.handler(
  apiView({ permissions: [allowAny], get: () => Promise.reject(new Error('boom')) }),
)
const routes = {
  '/hello/': hello,
  '/echo/': echo,
  '/boom/': boom,
  '/api-token-auth/': latchkey.endpoints.obtainAuthToken,
}
const pathOf = (url: string | undefined) => (url ?? '').split('?')[0] as keyof typeof routes

/** Every adapter serves the same routes, and must give the same answers. */
const ADAPTERS: Record<string, () => Server> = {
  'node:http': () => {
    const byPath = Object.fromEntries(
      Object.entries(routes).map(([path, handler]) => [path, listener(handler)]),
    )
    return createServer((request, response) => void byPath[pathOf(request.url)]?.(request, response))
  },
  express: () => {
    const app = expressFramework()
    for (const [path, handler] of Object.entries(routes)) {
      if (path !== '/hello/') app.all(path, express.endpoint(handler))
    }
    app.all(
      '/hello/',
      express.route(
        latchkey,
        [isAuthenticated],
        (_request, response: expressFramework.Response, { user }) => {
          response.json({ user: user.username, address: '127.0.0.1' })
        },
      ),
    )
    return createServer(app as RequestListener)
  },
  'express behind body parsers and a guard': () => {
    const app = expressFramework()
    app.use(
      expressFramework.json({ limit: 1000, strict: false }),
      expressFramework.urlencoded({ extended: false }),
    )
    for (const [path, handler] of Object.entries(routes)) {
      if (path !== '/hello/') app.all(path, express.endpoint(handler))
    }
    app.all('/hello/', express.guard(latchkey, isAuthenticated), (request, response) => {
      const user: { username: string } = Reflect.get(request, 'user')
      response.json({ user: user.username, address: '127.0.0.1' })
    })
    return createServer(app as RequestListener)
  },
  fastify: () =>
    fastifyServer((app) => {
      app.all('/hello/', { onRequest: fastify.guard(latchkey, isAuthenticated) }, (request) => {
        const user: { username: string } = Reflect.get(request, 'user')
        return { user: user.username, address: '127.0.0.1' }
      })
    }),
  'fastify.route': () =>
    fastifyServer((app) => {
      app.all(
        '/hello/',
        fastify.route(latchkey, [isAuthenticated], async (_request, _reply, { user }) => ({
          user: user.username,
          address: '127.0.0.1',
        })),
      )
    }),
  hono: () => {
    const app = new Hono()
    for (const [path, handler] of Object.entries(routes)) {
      if (path !== '/hello/') app.all(path, hono.endpoint(handler))
    }
    app.all('/hello/', hono.guard(latchkey, isAuthenticated), (context) =>
      context.json({ user: context.var.user.username, address: '127.0.0.1' }),
    )
    return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
  },
  'hono.route': () => {
    const app = new Hono()
    for (const [path, handler] of Object.entries(routes)) {
      if (path !== '/hello/') app.all(path, hono.endpoint(handler))
    }
    app.all(
      '/hello/',
      hono.route(latchkey, [isAuthenticated], (context, { user }) =>
        context.json({ user: user.username, address: '127.0.0.1' }),
      ),
    )
    return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
  },
  fetch: () => {
    const byPath = Object.fromEntries(
      Object.entries(routes).map(([path, handler]) => [path, fetchHandler(handler)]),
    )
    return createAdaptorServer({
      overrideGlobalObjects: false,
      fetch: (request: Request) =>
        byPath[new URL(request.url).pathname]?.(request, { remoteAddress: '127.0.0.1' }) ??
        new Response(null, { status: 404 }),
    }) as Server
  },
}

/** Fastify serves what its factory is given, once it is ready. */
function fastifyServer(addHello: (app: FastifyInstance) => void): Server {
  const app = fastifyFramework({
    serverFactory: (handler) =>
      createServer((request, response) => app.ready(() => handler(request, response))),
  })
  const { '/hello/': _, ...others } = routes
  app.register(fastify.endpoints(others))
  addHello(app)
  void app.ready()
  return app.server
}

let token: string
beforeAll(async () => {
  const user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
  token = (await latchkey.tokens.issue({ user })).secret.reveal()
})

describe.each(Object.keys(ADAPTERS))('the %s adapter', (name) => {
  const server = ADAPTERS[name]!()
  let port: number

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  interface Ask {
    readonly method?: string
    readonly headers?: Record<string, string | string[]>
    readonly chunks?: readonly string[]
  }

  function ask(path: string, { method = 'GET', headers = {}, chunks = [] }: Ask = {}) {
    return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>(
      (resolve, reject) => {
        const request = httpRequest(
          { host: '127.0.0.1', port, path, method, headers, agent: false },
          (response) => {
            let text = ''
            response.setEncoding('utf8').on('data', (chunk) => {
              text += chunk
            })
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
            )
          },
        )
        request.on('error', reject)
        for (const chunk of chunks) request.write(chunk)
        request.end()
      },
    )
  }

  it('asks for credentials, with the challenge', async () => {
    const answer = await ask('/hello/')
    expect(answer).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Token', 'content-type': 'application/json' },
    })
    expect(JSON.parse(answer.text)).toEqual({ detail: 'Authentication credentials were not provided.' })
  })

  it.each(['Token', 'token', 'TOKEN'])('takes the keyword %s', async (keyword) => {
    const answer = await ask('/hello/', { headers: { authorization: `${keyword} ${token}` } })
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toEqual({ user: 'vitor', address: '127.0.0.1' })
  })

  it('refuses another scheme, a bad token, and two Authorization headers', async () => {
    for (const authorization of [
      `Bearer ${token}`,
      'Token bad',
      `Token ${token} x`,
      [`Token ${token}`, 'Basic eDp5'],
      ['Basic eDp5', `Token ${token}`],
    ]) {
      expect((await ask('/hello/', { headers: { authorization } })).status, String(authorization)).toBe(401)
    }
  })

  it('gives HEAD the headers of GET and no body', async () => {
    const get = await ask('/echo/')
    const head = await ask('/echo/', { method: 'HEAD' })
    expect(head).toMatchObject({
      status: 200,
      text: '',
      headers: { allow: get.headers.allow, vary: get.headers.vary },
    })
  })

  it('reads a body that comes in pieces, and of every type', async () => {
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const json = await ask('/echo/', { method: 'POST', headers, chunks: ['{"a"', ':1,"b":"', 'ü"}'] })
    expect(JSON.parse(json.text)).toEqual({ a: 1, b: 'ü' })
    const form = await ask('/echo/', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      chunks: ['a=1&b=%C3%BC'],
    })
    expect(JSON.parse(form.text)).toEqual({ a: '1', b: 'ü' })
    expect(JSON.parse((await ask('/echo/', { method: 'POST' })).text)).toEqual({})
  })

  it('exchanges a username and password for the token, and says no-store', async () => {
    const body = JSON.stringify({ username: 'vitor', password: 'open sesame 1' })
    const answer = await ask('/api-token-auth/', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      chunks: [body],
    })
    expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
    expect(JSON.parse(answer.text)).toEqual({ token })
  })

  it('refuses a body beyond the limit, announced or not', async () => {
    const headers = { 'content-type': 'application/json' }
    const announced = await ask('/echo/', {
      method: 'POST',
      headers: { ...headers, 'content-length': '1001' },
      chunks: ['"', 'x'.repeat(999), '"'],
    })
    expect(announced.status).toBe(413)
    const streamed = await ask('/echo/', {
      method: 'POST',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      chunks: ['"', 'x'.repeat(600), 'x'.repeat(600), '"'],
    })
    expect(streamed.status).toBe(413)
  })

  it('answers a thrown error with JSON that says nothing', async () => {
    const answer = await ask('/boom/')
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.text)).toEqual({ detail: 'A server error occurred.' })
  })
})

describe('a guard before a handler that reads the body itself', () => {
  const guarded = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    authentication: [sessionAuthentication()],
    onError: (error) => expect.unreachable(String(error)),
  })
  const csrf = newCsrfToken()
  const form = `a=1&csrfmiddlewaretoken=${csrf}`
  const formType = 'application/x-www-form-urlencoded'
  let session: string
  beforeAll(async () => {
    const user = await guarded.users.create({ username: 'vitor' })
    session = (await guarded.sessions.start(user)).secret.reveal()
  })

  /** Each answers with the body that its handler got. */
  const GUARDS: Record<string, { readonly form: number; readonly start: () => Server }> = {
    'express.guard, then a body parser': {
      form: 403,
      start: () => {
        const app = expressFramework()
        app.use(express.guard(guarded, isAuthenticated), expressFramework.text({ type: '*/*' }))
        app.post('/', (request, response) => void response.json({ body: request.body }))
        return createServer(app as RequestListener)
      },
    },
    'a body parser, then express.guard': {
      form: 200,
      start: () => {
        const app = expressFramework()
        app.use(expressFramework.text({ type: 'application/json' }), expressFramework.urlencoded())
        app.use(express.guard(guarded, isAuthenticated))
        app.post('/', (request, response) => void response.json({ body: request.body }))
        return createServer(app as RequestListener)
      },
    },
    'fastify.guard': {
      form: 403,
      start: () =>
        fastifyBodyServer((app) => {
          const onRequest = fastify.guard(guarded, isAuthenticated)
          app.post('/', { onRequest }, async ({ body }) => ({ body }))
        }),
    },
    'fastify.route': {
      form: 200,
      start: () =>
        fastifyBodyServer((app) => {
          app.post(
            '/',
            fastify.route(guarded, [isAuthenticated], async ({ body }) => ({ body })),
          )
        }),
    },
    'hono.guard': {
      form: 200,
      start: () => {
        const app = new Hono()
        app.post('/', hono.guard(guarded, isAuthenticated), async (context) =>
          context.json({ body: await context.req.text() }),
        )
        return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
      },
    },
    'a reader, then hono.guard': {
      form: 200,
      start: () => {
        const app = new Hono()
        app.use(async (context, next) => {
          await context.req.text()
          await next()
        })
        app.post('/', hono.guard(guarded, isAuthenticated), async (context) =>
          context.json({ body: await context.req.text() }),
        )
        return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
      },
    },
  }

  function fastifyBodyServer(addRoute: (app: FastifyInstance) => void): Server {
    const app = fastifyFramework({
      serverFactory: (handler) =>
        createServer((request, response) => app.ready(() => handler(request, response))),
    })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, parsed) => {
      const isForm = request.headers['content-type'] === formType
      parsed(null, isForm ? Object.fromEntries(new URLSearchParams(String(body))) : body)
    })
    addRoute(app)
    void app.ready()
    return app.server
  }

  it.each(Object.entries(GUARDS))(
    '%s: leaves it the body, or says no',
    async (_name, { form: status, start }) => {
      const server = start()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const cookie = `sessionid=${session}; csrftoken=${csrf}`
      const post = (headers: Record<string, string>, body: string) =>
        fetch(url, { method: 'POST', headers: { cookie, origin: new URL(url).origin, ...headers }, body })
      const json = await post({ 'x-csrftoken': csrf, 'content-type': 'application/json' }, '{"a":1}')
      expect(await json.json()).toEqual({ body: '{"a":1}' })
      const page = await post({ 'content-type': formType }, form)
      expect(page.status).toBe(status)
      if (status === 200) expect(await page.text()).toContain(csrf)
      else expect(await page.text()).toContain('The guard leaves the body to its handler')
      expect((await post({ 'content-type': formType }, 'a=1')).status).toBe(403)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  )
})

describe('a request of node:http', () => {
  it('rejects when its body was read before, and does not wait', async () => {
    const bodies: unknown[] = []
    const server = createServer((request, response) => {
      const { body } = { body: () => fromIncoming(request).body(100) }
      body()
        .then((bytes) => bodies.push(String(bytes)))
        .then(body)
        .catch((error: unknown) => bodies.push(error))
        .finally(() => response.end())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { method: 'POST', body: 'x' })
    expect(bodies).toEqual(['x', expect.any(TypeError)])
    server.closeAllConnections()
    server.close()
  })

  it('has the host of HTTP/2', async () => {
    const hosts: unknown[] = []
    const server = createHttp2Server((request, response) => {
      hosts.push(Reflect.apply(incomingHeader, undefined, [request, 'host']))
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = connect(`http://${authority}`)
    await new Promise((resolve) => client.request({ ':path': '/' }).resume().on('end', resolve))
    expect(hosts).toEqual([authority])
    client.close()
    server.close()
  })

  it.each(['authorization', 'content-type', 'host', 'referer', 'proxy-authorization'])(
    'joins two lines of %s, of which Node keeps the first',
    async (name) => {
      const seen: unknown[] = []
      const server = createServer((request, response) => {
        seen.push(incomingHeader(request, name))
        response.end()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const host = name === 'host' ? [] : ['Host', 'x']
      await new Promise((resolve, reject) => {
        const headers = [...host, name, 'one', name, 'two']
        httpRequest({ host: '127.0.0.1', port, headers: headers as never, agent: false })
          .on('response', (answer) => answer.resume().on('end', resolve))
          .on('error', reject)
          .end()
      })
      expect(seen).toEqual(['one,two'])
      server.close()
    },
  )

  it('reads headers where there are no raw ones', () => {
    const made = { headers: { authorization: 'Token x' } } as IncomingMessage
    expect(incomingHeader(made, 'authorization')).toBe('Token x')
    expect(incomingHeader(made, 'host')).toBeUndefined()
  })
})

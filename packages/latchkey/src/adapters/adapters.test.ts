import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import fastifyFramework, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { allowAny } from '../permissions/allow-any.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { apiView } from '../views/api-view.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import { fetchHandler } from './fetch.js'
import { hono } from './hono.js'
import { listener } from './node-http.js'

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
      express.route(latchkey, [isAuthenticated], (request, response: expressFramework.Response) => {
        response.json({ user: request.user.username, address: '127.0.0.1' })
      }),
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
      const { user } = request as unknown as { user: { username: string } }
      response.json({ user: user.username, address: '127.0.0.1' })
    })
    return createServer(app as RequestListener)
  },
  fastify: () =>
    fastifyServer((app) => {
      app.all('/hello/', { onRequest: fastify.guard(latchkey, isAuthenticated) }, (request) => {
        const { user } = request as unknown as { user: { username: string } }
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

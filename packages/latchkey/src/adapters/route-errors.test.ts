/** What a handler behind a guard throws reaches the framework, whether the guard had to wait (a cold token) or not. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import fastifyFramework from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import { hono } from './hono.js'

const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  onError: (error) => expect.unreachable(String(error)),
})

/** The ways a handler fails. Each is a path. */
const FAILURES = {
  '/throws': () => {
    throw new Error('a failure of the app')
  },
  '/rejects': () => Promise.reject(new Error('a failure of the app')),
}
const failures = Object.entries(FAILURES)

const FRAMEWORKS: Readonly<Record<string, () => Server>> = {
  'express.route': () => expressServer((fail) => express.route(latchkey, [isAuthenticated], fail)),
  'express.route, by next': () =>
    expressServer((fail) =>
      express.route(latchkey, [isAuthenticated], (_request, _response, _identity, next) => {
        new Promise((resolve) => resolve(fail())).catch(next)
      }),
    ),
  'express.route, as Express 4 calls it': () =>
    expressServer((fail) => {
      const handle = express.route(latchkey, [isAuthenticated], fail)
      return (request, response, next) => void handle(request, response, next)
    }),
  'fastify.route': () => {
    const app = fastifyFramework({
      serverFactory: (handler) =>
        createServer((request, response) => app.ready(() => handler(request, response))),
    })
    for (const [path, fail] of failures) app.get(path, fastify.route(latchkey, [isAuthenticated], fail))
    app.setErrorHandler((error: Error, _request, reply) => reply.code(500).send(error.message))
    void app.ready()
    return app.server
  },
  'hono.route': () => {
    const app = new Hono()
    for (const [path, fail] of failures) app.get(path, hono.route(latchkey, [isAuthenticated], fail))
    app.onError((error, context) => context.text(error.message, 500))
    return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
  },
}

type Fail = (typeof FAILURES)[keyof typeof FAILURES]

function expressServer(route: (fail: Fail) => expressFramework.RequestHandler): Server {
  const app = expressFramework()
  for (const [path, fail] of failures) app.get(path, route(fail))
  const onError: expressFramework.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(500).send((error as Error).message)
  }
  app.use(onError)
  return createServer(app as RequestListener)
}

describe.each(Object.entries(FRAMEWORKS))('%s', (_name, start) => {
  let server: Server
  let headers: Record<string, string>
  beforeAll(async () => {
    server = start()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const user = await latchkey.users.create({ username: `u${(server.address() as AddressInfo).port}` })
    headers = { authorization: `Token ${(await latchkey.tokens.issue({ user })).secret.reveal()}` }
  })
  afterAll(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })

  it.each(failures)('%s', async (path) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
    for (const temperature of ['cold', 'hot']) {
      const answer = await fetch(url, { headers })
      expect([temperature, answer.status, await answer.text()]).toEqual([
        temperature,
        500,
        'a failure of the app',
      ])
    }
    expect((await fetch(url)).status).toBe(401)
  })
})

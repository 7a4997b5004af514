/** Permissions judge the path that the framework routed, however the caller spelt it. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import fastifyFramework, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { permission } from '../permissions/permission.js'
import { memoryStore } from '../stores/memory.js'
import { apiView } from '../views/api-view.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import { fetchHandler } from './fetch.js'
import { hono } from './hono.js'
import { listener } from './node-http.js'

const errors: unknown[] = []
const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  onError: (error) => errors.push(error),
})
let seen: string | undefined
const forStaff = permission('ForStaff', ({ user }, { path }) => {
  seen = path
  return !path.includes('/internal') || user?.isStaff === true
})
const view = apiView({ permissions: [forStaff], get: ({ path }) => ({ path }) })
const handler = latchkey.handler(view)

/** Each serves `/files/:section/report/`. */
const FRAMEWORKS: Readonly<Record<string, () => Server>> = {
  'node:http': () => createServer((request, response) => void listener(handler)(request, response)),
  fetch: () =>
    createAdaptorServer({
      overrideGlobalObjects: false,
      fetch: (request: Request) => fetchHandler(handler)(request),
    }) as Server,
  'express.endpoint': () =>
    expressServer((app) => app.get('/files/:section/report/', express.endpoint(handler))),
  'express.guard': () =>
    expressServer((app) => {
      app.use(express.guard(latchkey, forStaff))
      app.get('/files/:section/report/', (_request, response) => void response.json({}))
    }),
  'express.route in a mounted router': () =>
    expressServer((app) => {
      const router = expressFramework.Router()
      router.get(
        '/:section/report/',
        express.route(latchkey, [forStaff], (_request, response: expressFramework.Response) => {
          response.json({})
        }),
      )
      app.use('/files', router)
    }),
  'express behind a rewrite': () =>
    expressServer((app) => {
      app.use((request, _response, next) => {
        request.url = request.url.replace(/^\/alias/, '/files')
        next()
      })
      app.get('/files/:section/report/', express.guard(latchkey, forStaff), (_request, response) => {
        response.json({})
      })
    }),
  'fastify.endpoints': () =>
    fastifyServer({}, (app) => app.register(fastify.endpoints({ '/files/:section/report/': handler }))),
  'fastify.guard under a prefix': () =>
    fastifyServer({}, (app) =>
      app.register(
        (inner, _options, done) => {
          inner.get('/:section/report/', { onRequest: fastify.guard(latchkey, forStaff) }, () => ({}))
          done()
        },
        { prefix: '/files' },
      ),
    ),
  'fastify that ignores semicolons and double slashes': () =>
    fastifyServer({ routerOptions: { useSemicolonDelimiter: true, ignoreDuplicateSlashes: true } }, (app) =>
      app.get('/files/:section/report/', { onRequest: fastify.guard(latchkey, forStaff) }, () => ({})),
    ),
  'hono.endpoint': () => honoServer((app) => app.get('/files/:section/report/', hono.endpoint(handler))),
  'hono.guard under a base path': () =>
    honoServer((app) => {
      const inner = new Hono()
      inner.use('*', hono.guard(latchkey, forStaff))
      inner.get('/:section/report/', (context) => context.json({}))
      app.route('/files', inner)
    }),
  'hono.route': () =>
    honoServer((app) =>
      app.get(
        '/files/:section/report/',
        hono.route(latchkey, [forStaff], (context) => context.json({})),
      ),
    ),
}

function expressServer(mount: (app: expressFramework.Express) => void): Server {
  const app = expressFramework()
  mount(app)
  // Keeps Express from printing the malformed paths that it refuses.
  const onError: expressFramework.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status((error as { status?: number }).status ?? 500).end()
  }
  app.use(onError)
  return createServer(app as RequestListener)
}

function fastifyServer(
  options: { readonly routerOptions?: object },
  mount: (app: FastifyInstance) => unknown,
): Server {
  const app = fastifyFramework({
    ...options,
    serverFactory: (handle) =>
      createServer((request, response) => app.ready(() => handle(request, response))),
  })
  mount(app)
  void app.ready()
  return app.server
}

function honoServer(mount: (app: Hono) => void): Server {
  const app = new Hono()
  mount(app)
  return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
}

/** Sends the target as it is, which clients of Node and of the fetch standard do not. */
function ask(server: Server, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject).on('close', () => resolve(Number(answer.split(' ', 2)[1])))
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  })
}

/** Spellings of the path of staff, or of paths that some reader takes for it. */
const INTERNAL = [
  '/files/internal/report/',
  '/files/%69nternal/report/',
  '/files/%69%6E%74%65%72%6e%61%6c/report/',
  '/files/internal/%72eport/',
  '/files/internal/report/?path=/files/public/report/',
  '/files/internal/report/#/public',
  '/files/internal;x=1/report/',
  '/files/internal/report/;x=1',
  '/files/public/../internal/report/',
  '/files/public/%2e%2E/internal/report/',
  '/files/./internal/report/',
  '/files/public%2F..%2finternal/report/',
  '/files%2Finternal/report/',
  '/files/%2Finternal/report/',
  '/files//internal/report/',
  '//files/internal/report/',
  '/files/\\internal/report/',
  '/files/%5cinternal/report/',
  'http://x/files/internal/report/',
  'http://x/files/%69nternal/report/',
  '/alias/internal/report/',
  '/alias/%69nternal/report/',
]

/** Paths of others, as the permission sees them where the framework routes them at all. */
const PUBLIC: ReadonlyArray<readonly [target: string, path: string]> = [
  ['/files/public/report/', '/files/public/report/'],
  ['/files/p%75blic/report/?a=%2F', '/files/public/report/'],
  ['/files/%2569nternal/report/', '/files/%69nternal/report/'],
  ['/files/a%252Fb/report/', '/files/a%2Fb/report/'],
  ['/files/a%40b%3a/report/', '/files/a@b:/report/'],
  ['/files/caf%C3%A9/report/', '/files/café/report/'],
  ['/files/%F0%9F%94%91%00/report/', '/files/🔑\u0000/report/'],
  ['/files/c%c0%af/report/', '/files/c%c0%af/report/'],
  ['/files/%ff/report/', '/files/%ff/report/'],
  ['/files/%ed%a0%80/report/', '/files/%ed%a0%80/report/'],
  ['/files/100%/report/', '/files/100%/report/'],
]

describe.each(Object.entries(FRAMEWORKS))('%s', (_name, start) => {
  let server: Server
  beforeAll(async () => {
    server = start()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  it.each(INTERNAL)('refuses a stranger at %s', async (target) => {
    const status = await ask(server, target)
    expect([target, [400, 401, 403, 404].includes(status), status]).toEqual([target, true, status])
    expect(errors).toEqual([])
  })

  it.each(PUBLIC)('shows permissions %s as %s', async (target, path) => {
    seen = undefined
    const status = await ask(server, target)
    // Express and Fastify refuse escapes that are not UTF-8 themselves, some before any middleware.
    if (path.includes('%') && status === 400) return
    expect([seen, status]).toEqual([path, 200])
  })
})

it('shows the mounted prefix alone without a slash more', async () => {
  const server = expressServer((app) => {
    const router = expressFramework.Router()
    router.get('/', express.guard(latchkey, forStaff), (_request, response) => void response.json({}))
    app.use('/files', router)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  for (const target of ['/files', '/files/', '/files?a=1', '/files/?a=1']) {
    expect([await ask(server, target), seen]).toEqual([200, target.split('?')[0]])
  }
  await new Promise((resolve) => server.close(resolve))
})

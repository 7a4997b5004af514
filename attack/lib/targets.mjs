/** What is attacked: `latchkey serve` as a process, and an app of each framework in this one, all on 127.0.0.1. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { express } from 'latchkey/express'
import { fastify } from 'latchkey/fastify'
import { fetchHandler } from 'latchkey/fetch'
import { hono } from 'latchkey/hono'
import { fromIncoming, listener, writeResponse } from 'latchkey/node'
import { LOGIN_VIEWS, ROUTES, reachedText, viewOf } from './routes.mjs'
import { latchkeyOf } from './world.mjs'

const LATCHKEY = fileURLToPath(new URL('../../packages/server/bin/latchkey.js', import.meta.url))
const CONFIG = fileURLToPath(new URL('../serve/latchkey.config.mjs', import.meta.url))

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {string} algorithm of its JWTs
 * @property {number} port
 * @property {boolean} echoesPaths its own page for an unknown path repeats the path
 * @property {() => string} log what it has written so far
 * @property {() => Promise<void>} stop
 */

/** Name -> how the app is made, and the algorithm of its JWTs, so that each algorithm is attacked. */
const APPS = {
  node: { algorithm: 'RS256', make: nodeApp },
  express: { algorithm: 'HS256', make: expressApp, echoesPaths: true },
  fastify: { algorithm: 'ES256', make: fastifyApp, echoesPaths: true },
  hono: { algorithm: 'EdDSA', make: honoApp },
  fetch: { algorithm: 'HS256', make: fetchApp },
}

/** @param {import('./world.mjs').World} world @returns {Promise<Target[]>} */
export async function startTargets(world) {
  const targets = [await startServe(world)]
  for (const [name, { algorithm, make, echoesPaths = false }] of Object.entries(APPS)) {
    let log = ''
    const onError = (error) => {
      log += `${error?.stack ?? error}\n`
    }
    const guarded = ROUTES.map((route) => {
      const { authentication, permissions } = route
      return { ...route, latchkey: latchkeyOf(world, algorithm, { authentication, permissions, onError }) }
    })
    const latchkey = latchkeyOf(world, algorithm, { onError })
    const views = Object.entries(LOGIN_VIEWS).map(([path, view]) => [path, latchkey.handler(view)])
    const logins = { '/api-token-auth/': latchkey.endpoints.obtainAuthToken, ...Object.fromEntries(views) }
    const server = await make(guarded, logins)
    if (!server.listening) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    targets.push({
      name,
      algorithm,
      port: server.address().port,
      echoesPaths,
      log: () => log,
      stop: async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    })
  }
  return targets
}

/** Node's own server and a router that looks at how the path begins. */
function nodeApp(routes, logins) {
  const mounted = new Map(Object.entries(logins).map(([path, handler]) => [path, listener(handler)]))
  const gates = routes.map(({ path, latchkey }) => ({ path, gate: latchkey.gate() }))
  return createServer(async (request, response) => {
    const [path] = (request.url ?? '/').split('?')
    const login = mounted.get(path)
    if (login !== undefined) return login(request, response)
    const found = gates.find((one) => path.startsWith(one.path))
    if (found === undefined) return void response.writeHead(404).end()
    const { identity, refusal } = await found.gate(fromIncoming(request))
    if (refusal !== null) return writeResponse(response, refusal, request.method)
    response.end(reachedText(identity.user))
  })
}

/** Routers behind `express.guard`, so that everything below a path is guarded. */
function expressApp(routes, logins) {
  const app = expressFramework()
  app.set('env', 'production')
  for (const [path, handler] of Object.entries(logins)) app.all(path, express.endpoint(handler))
  for (const { path, latchkey } of routes) {
    app.use(path, express.guard(latchkey))
    app.use(path, (request, response) => void response.send(reachedText(request.user)))
  }
  return createServer(app)
}

async function fastifyApp(routes, logins) {
  const app = Fastify()
  app.register(fastify.endpoints(logins))
  for (const { path, latchkey } of routes) {
    const options = { onRequest: fastify.guard(latchkey) }
    for (const url of [path, `${path}*`]) {
      app.all(url, options, (request, reply) => reply.send(reachedText(request.user)))
    }
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app.server
}

function honoApp(routes, logins) {
  const app = new Hono()
  for (const [path, handler] of Object.entries(logins)) app.all(path, hono.endpoint(handler))
  for (const { path, latchkey } of routes) {
    app.all(`${path}*`, hono.guard(latchkey), (context) => context.text(reachedText(context.get('user'))))
  }
  return createAdaptorServer({ fetch: app.fetch })
}

/** Views by the pathname of the fetch standard's URL. */
function fetchApp(routes, logins) {
  const views = routes.map((route) => [route.path, route.latchkey.handler(viewOf(route))])
  const handlers = [...Object.entries(logins), ...views].map(([path, handler]) => [
    path,
    fetchHandler(handler),
  ])
  const server = createAdaptorServer({
    fetch: (request, { incoming }) => {
      // This server makes the URL of the Host header, and does not look whether it is one.
      if (!URL.canParse(request.url)) return new Response(null, { status: 400 })
      const { pathname } = new URL(request.url)
      const found = handlers.find(([path]) => pathname.startsWith(path))
      if (found === undefined) return new Response(null, { status: 404 })
      return found[1](request, { remoteAddress: incoming.socket.remoteAddress })
    },
  })
  // As the guide says: a fetch handler cannot see that lines were dropped.
  server.maxHeadersCount = 0
  return server
}

/** @returns {Promise<Target>} */
async function startServe({ database, secret, keys }) {
  const algorithm = 'RS256'
  const env = { ...process.env, ATTACK_KEYS: JSON.stringify({ keys, algorithm }), LATCHKEY_SECRET: secret }
  const words = [LATCHKEY, 'serve', '0', '--config', CONFIG, '--database', database]
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => child.kill('SIGKILL'))
  let log = ''
  const port = await new Promise((resolve, reject) => {
    const hear = (chunk) => {
      log += chunk
      const found = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1]
      if (found !== undefined) resolve(Number(found))
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', (code) => reject(new Error(`latchkey serve ended with ${code}:\n${log}`)))
  })
  return {
    name: 'serve',
    algorithm,
    port,
    echoesPaths: false,
    log: () => log,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit')
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

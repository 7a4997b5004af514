/**
 * `GET /hello/` on one framework, in one of its variants: `guarded` by Latchkey; `open` with nothing before the route;
 * `least`: in the guard's place one SHA-256 and one Map.get, without which no opaque token can be checked; and, where the
 * guard is a hook or middleware, `empty`: one in its place that does nothing.
 */
import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { createApp, path, serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import expressFramework from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { allowAny, apiView, createLatchkey, isAuthenticated, jwtAuthentication } from 'latchkey'
import { express } from 'latchkey/express'
import { fastify } from 'latchkey/fastify'
import { hono } from 'latchkey/hono'
import { fromIncoming, writeResponse } from 'latchkey/node'
import { jwtOptions, newJwtKey } from '../lib/jwt-tokens.mjs'
import { answerParent, listen } from '../lib/server-child.mjs'
import { SERVER_SECRET, secretAt, usernameAt } from '../lib/tokens-database.mjs'

const { framework, variant, database, tokens } = JSON.parse(process.argv[2] ?? '{}')
const latchkey = createLatchkey({ store: sqlite(database), secret: SERVER_SECRET })

/** One whose routes take access tokens of `lib/jwt-tokens.mjs`. */
function jwtLatchkey() {
  return createLatchkey({
    store: sqlite(database),
    secret: SERVER_SECRET,
    authentication: [jwtAuthentication()],
    jwt: jwtOptions(newJwtKey('HS256')),
  })
}

/** All answers are equally long, because all names are. */
const greet = (user) => ({ message: `Hello, ${user.username}!` })
const SOMEBODY = { username: usernameAt(0) }

const known = new Map()
for (let index = 0; index < tokens; index += 1) {
  known.set(hash('sha256', secretAt(index), 'base64'), { username: usernameAt(index) })
}
const leastCheck = (authorization) =>
  known.get(hash('sha256', authorization.slice('Token '.length), 'base64'))

const OPEN = { authentication: [], permissions: [allowAny] }

/** @type {Record<string, Record<string, () => string | Promise<string>>>} */
const FRAMEWORKS = {
  fastify: {
    guarded: () =>
      serveFastify({ onRequest: fastify.guard(latchkey, isAuthenticated) }, ({ user }, reply) =>
        reply.send(greet(user)),
      ),
    open: () => serveFastify({}, (_request, reply) => reply.send(greet(SOMEBODY))),
    empty: () =>
      serveFastify({ onRequest: (_request, _reply, done) => done() }, (_request, reply) =>
        reply.send(greet(SOMEBODY)),
      ),
    least: () =>
      serveFastify(
        {
          onRequest: (request, _reply, done) => {
            request.user = leastCheck(request.headers.authorization)
            done()
          },
        },
        ({ user }, reply) => reply.send(greet(user)),
      ),
  },
  'fastify-jwt': {
    guarded: () =>
      serveFastify({ onRequest: fastify.guard(jwtLatchkey(), isAuthenticated) }, ({ user }, reply) =>
        reply.send(greet(user)),
      ),
  },
  'fastify-route': {
    guarded: () =>
      serveFastify(
        {},
        fastify.route(latchkey, [isAuthenticated], (_request, reply, { user }) => reply.send(greet(user))),
      ),
    open: () => serveFastify({}, (_request, reply) => reply.send(greet(SOMEBODY))),
    least: () =>
      serveFastify({}, ({ headers }, reply) => reply.send(greet(leastCheck(headers.authorization)))),
  },
  hono: {
    guarded: () =>
      serveHono(hono.guard(latchkey, isAuthenticated), (context) => context.json(greet(context.get('user')))),
    open: () => serveHono((context) => context.json(greet(SOMEBODY))),
    least: () =>
      serveHono(
        (context, next) => {
          context.set('user', leastCheck(context.req.header('authorization')))
          return next()
        },
        (context) => context.json(greet(context.get('user'))),
      ),
    empty: () =>
      serveHono(
        (_context, next) => next(),
        (context) => context.json(greet(SOMEBODY)),
      ),
  },
  'hono-route': {
    guarded: () =>
      serveHono(hono.route(latchkey, [isAuthenticated], (context, { user }) => context.json(greet(user)))),
    open: () => serveHono((context) => context.json(greet(SOMEBODY))),
    least: () =>
      serveHono((context) => context.json(greet(leastCheck(context.env.incoming.headers.authorization)))),
  },
  express: {
    guarded: () =>
      serveExpress(express.guard(latchkey, isAuthenticated), (request, response) => {
        response.json(greet(request.user))
      }),
    open: () => serveExpress((_request, response) => void response.json(greet(SOMEBODY))),
    least: () =>
      serveExpress(
        (request, _response, next) => {
          request.user = leastCheck(request.headers.authorization)
          next()
        },
        (request, response) => void response.json(greet(request.user)),
      ),
    empty: () =>
      serveExpress(
        (_request, _response, next) => next(),
        (_request, response) => void response.json(greet(SOMEBODY)),
      ),
  },
  'express-route': {
    guarded: () =>
      serveExpress(
        express.route(
          latchkey,
          [isAuthenticated],
          (_request, response, { user }) => void response.json(greet(user)),
        ),
      ),
    open: () => serveExpress((_request, response) => void response.json(greet(SOMEBODY))),
    least: () =>
      serveExpress(
        (request, response) => void response.json(greet(leastCheck(request.headers.authorization))),
      ),
  },
  node: {
    guarded: () => {
      const gate = latchkey.gate([isAuthenticated])
      const settle = (request, response, { identity, refusal }) => {
        if (refusal === null) answerNode(response, identity.user)
        else writeResponse(response, refusal, request.method)
      }
      return serveNode((request, response) => {
        const outcome = gate(fromIncoming(request))
        if (outcome instanceof Promise) outcome.then((late) => settle(request, response, late))
        else settle(request, response, outcome)
      })
    },
    open: () => serveNode((_request, response) => answerNode(response, SOMEBODY)),
    least: () =>
      serveNode((request, response) => answerNode(response, leastCheck(request.headers.authorization))),
  },
  server: {
    guarded: () => serveView({ permissions: [isAuthenticated], get: ({ user }) => greet(user) }),
    open: () => serveView({ ...OPEN, get: () => greet(SOMEBODY) }),
    least: () => serveView({ ...OPEN, get: (request) => greet(leastCheck(request.header('authorization'))) }),
  },
}

/** With its defaults: Fastify logs nothing then. */
async function serveFastify(options, handler) {
  const app = Fastify()
  app.get('/hello/', options, handler)
  return app.listen({ host: '127.0.0.1', port: 0 })
}

function serveHono(...handlers) {
  return listen(createAdaptorServer({ fetch: new Hono().get('/hello/', ...handlers).fetch }))
}

function serveExpress(...handlers) {
  return listen(createServer(expressFramework().get('/hello/', ...handlers)))
}

function serveNode(listener) {
  return listen(createServer(listener))
}

function answerNode(response, user) {
  const body = JSON.stringify(greet(user))
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

/** The app that `latchkey serve` runs: the route is a view, the guard its policy. */
async function serveView(options) {
  const app = createApp(latchkey, [path('hello/', apiView(options))])
  return (await serve({ app, host: '127.0.0.1', port: 0 })).url
}

answerParent(await FRAMEWORKS[framework][variant]())

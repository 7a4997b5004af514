/** How each entry point leads to a handler that writes down who reached it. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Latchkey, Permission } from 'latchkey'
import type { Door } from '../plan.js'
import type { Frameworks, Kit } from './kit.js'

/** Who reached a handler: `user` and `auth`, and the identity as one object where the handler gets one. */
export type Reach = (path: string, reached: { user: unknown; auth: unknown; identity: unknown }) => void

export interface DoorContext {
  readonly kit: Kit
  readonly latchkey: Latchkey
  /** Undefined: those of the Latchkey. */
  readonly permissions: readonly Permission[] | undefined
  readonly reach: Reach
  /** Errors that reach the framework. */
  readonly log: (line: string) => void
}

const BODY = 'reached'

/** What serves a request through the door. */
export async function openDoor(
  door: Door,
  context: DoorContext,
  frameworks: Frameworks | null,
): Promise<RequestListener> {
  switch (door) {
    case 'gate':
      return gateListener(context)
    case 'view':
      return viewListener(context)
    case 'fetch':
      return fetchListener(context)
    default:
      if (frameworks === null) throw new Error(`${door}: needs frameworks`)
      return frameworkListener(door, context, frameworks)
  }
}

function gateListener({ kit, latchkey, permissions, reach, log }: DoorContext): RequestListener {
  const gate = latchkey.gate(permissions)
  return async (request, response) => {
    try {
      const { identity, refusal } = await gate(kit.node.fromIncoming(request))
      if (refusal === null) {
        reach(request.url ?? '', { ...members(identity), identity })
        response.end(BODY)
      } else {
        response.writeHead(refusal.status).end(refusal.body)
      }
    } catch (error) {
      fail(response, log, request.url, error)
    }
  }
}

function viewOf({ kit, latchkey, permissions, reach }: DoorContext) {
  return latchkey.handler(
    kit.apiView(
      ['GET', 'POST'],
      (request) => {
        reach(request.path, { user: request.user, auth: request.auth, identity: null })
        return BODY
      },
      permissions === undefined ? {} : { permissions },
    ),
  )
}

function viewListener(context: DoorContext): RequestListener {
  const { kit, log } = context
  const listener = kit.node.listener(viewOf(context))
  return (request, response) =>
    void listener(request, response).then(undefined, (error: unknown) =>
      fail(response, log, request.url, error),
    )
}

function fetchListener(context: DoorContext): RequestListener {
  const handler = context.kit.fetch.fetchHandler(viewOf(context))
  return asFetch(context, (request) => handler(request, { remoteAddress: '127.0.0.1' }))
}

function asFetch(
  { log }: DoorContext,
  serve: (request: Request) => Response | PromiseLike<Response>,
): RequestListener {
  return async (request, response) => {
    try {
      const answer = await serve(requestOf(request))
      const text = await answer.text()
      response.writeHead(answer.status).end(text)
    } catch (error) {
      fail(response, log, request.url, error)
    }
  }
}

function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers()
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '')
  }
  return new Request(`http://localhost${incoming.url}`, { method: incoming.method ?? 'GET', headers })
}

async function frameworkListener(
  door: Door,
  context: DoorContext,
  frameworks: Frameworks,
): Promise<RequestListener> {
  if (door.startsWith('express')) return expressListener(door, context, frameworks)
  if (door.startsWith('fastify')) return fastifyListener(door, context, frameworks)
  return honoListener(door, context, frameworks)
}

function expressListener(door: Door, context: DoorContext, frameworks: Frameworks): RequestListener {
  const { latchkey, permissions = [], reach, log } = context
  const { express } = frameworks
  const app = frameworks.expressFramework()
  if (door === 'express.endpoint') app.use(express.endpoint(viewOf(context)))
  if (door === 'express.route') {
    app.use(
      express.route(latchkey, permissions, (request, response, identity) => {
        reach(request.url ?? '', { ...members(identity), identity })
        response.end(BODY)
      }),
    )
  }
  if (door === 'express.guard') {
    app.use(express.guard(latchkey, ...permissions), (request: IncomingMessage, response: ServerResponse) => {
      reach(request.url ?? '', { ...members(request), identity: null })
      response.end(BODY)
    })
  }
  app.use((error: unknown, request: IncomingMessage, response: ServerResponse, _next: unknown) =>
    fail(response, log, request.url, error),
  )
  return app
}

async function fastifyListener(
  door: Door,
  context: DoorContext,
  frameworks: Frameworks,
): Promise<RequestListener> {
  const { latchkey, permissions = [], reach, log } = context
  const { fastify } = frameworks
  const app = frameworks.fastifyFramework()
  app.setErrorHandler((error, request, reply) => {
    log(`${request.url} ${String(error)}`)
    return reply.code(500).send('failed')
  })
  if (door === 'fastify.endpoints') app.register(fastify.endpoints({ '*': viewOf(context) }))
  if (door === 'fastify.route') {
    app.all(
      '*',
      fastify.route(latchkey, permissions, (request, _reply, identity) => {
        reach(request.url, { ...members(identity), identity })
        return BODY
      }),
    )
  }
  if (door === 'fastify.guard') {
    app.all('*', { onRequest: fastify.guard(latchkey, ...permissions) }, (request, reply) => {
      reach(request.url, { ...members(request), identity: null })
      return reply.send(BODY)
    })
  }
  await app.ready()
  return app.routing
}

function honoListener(door: Door, context: DoorContext, frameworks: Frameworks): RequestListener {
  const { latchkey, permissions = [], reach, log } = context
  const { hono, getRequestListener } = frameworks
  const app = new frameworks.Hono()
  app.onError((error, honoContext) => {
    log(`${honoContext.req.path} ${String(error)}`)
    return honoContext.text('failed', 500)
  })
  if (door === 'hono.endpoint') app.all('*', hono.endpoint(viewOf(context)))
  if (door === 'hono.guard') {
    app.all('*', hono.guard(latchkey, ...permissions), (honoContext) => {
      const { user, auth } = honoContext.var
      reach(honoContext.req.path, { user, auth, identity: null })
      return honoContext.text(BODY)
    })
  }
  if (door.startsWith('hono.route')) {
    app.all(
      '*',
      hono.route(latchkey, permissions, (honoContext, identity) => {
        reach(honoContext.req.path, { ...members(identity), identity })
        return honoContext.text(BODY)
      }),
    )
  }
  if (door === 'hono.route without Node') return asFetch(context, (request) => app.fetch(request))
  return getRequestListener(app.fetch, { overrideGlobalObjects: false })
}

function members(source: object): { user: unknown; auth: unknown } {
  return { user: Reflect.get(source, 'user'), auth: Reflect.get(source, 'auth') }
}

function fail(
  response: ServerResponse,
  log: DoorContext['log'],
  url: string | undefined,
  error: unknown,
): void {
  log(`${url} ${String(error)}`)
  if (!response.headersSent) response.writeHead(500)
  response.end('failed')
}

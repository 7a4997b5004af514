/** Hono: `hono.endpoint` serves a view, `hono.guard` stands before a route of your own. */
import type { IncomingMessage } from 'node:http'
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { GateOutcome } from '../gate.js'
import type { Latchkey } from '../latchkey.js'
import type { IdentityBehind, Permission } from '../permissions/permission.js'
import type { Handler, HttpRequest, RouteMatch } from '../request.js'
import { isThenable } from '../thenable.js'
import { fromFetch, readBody, toResponse } from './fetch.js'
import { IncomingRequest, incomingHeader } from './node-http.js'
import { peerOf } from './node-peer.js'

/** What `hono.guard` puts into the context: `context.var.user`, `context.var.auth`. */
export interface HonoVariables<P extends readonly Permission[]> {
  readonly Variables: { user: IdentityBehind<P>['user']; auth: IdentityBehind<P>['auth'] }
}

/** Serves a mounted view: `app.post('/api-token-auth/', hono.endpoint(latchkey.endpoints.obtainAuthToken))`. */
function endpoint(
  handler: Handler,
  route?: (context: Context) => RouteMatch,
): (context: Context) => Promise<Response> {
  return async (context) => toResponse(await handler(fromHono(context), route?.(context)), context.req.method)
}

/**
 * Middleware that lets through whom the permissions allow; `context.var.user` is not null where one requires a user.
 * Without permissions the Latchkey's own are asked.
 */
function guard<const P extends readonly Permission[]>(
  latchkey: Latchkey,
  ...permissions: P
): MiddlewareHandler<HonoVariables<P>> {
  const gate = permissions.length > 0 ? latchkey.gate(permissions) : latchkey.gate()
  // Neither is `async`, which is one promise more for every request, nor in the middleware, where each would get a closure.
  const settle = (
    { identity, refusal }: GateOutcome,
    context: Context<HonoVariables<P>>,
    next: Next,
  ): ReturnType<MiddlewareHandler> => {
    if (refusal !== null) return Promise.resolve(toResponse(refusal, context.req.method))
    context.set('user', identity.user)
    context.set('auth', identity.auth)
    return next()
  }
  const settleLater = (outcome: Promise<GateOutcome>, context: Context<HonoVariables<P>>, next: Next) =>
    outcome.then((late) => settle(late, context, next))
  return (context, next) => {
    const outcome = gate(headOf(context))
    return isThenable(outcome) ? settleLater(outcome, context, next) : settle(outcome, context, next)
  }
}

/**
 * A whole route behind a guard in one handler, which spares Hono a middleware: `user` and `auth` come as arguments.
 * `app.get('/hello/', hono.route(latchkey, [isAuthenticated], (context, { user }) => context.json({ hello: user.username })))`
 */
function route<const P extends readonly Permission[]>(
  latchkey: Latchkey,
  permissions: P,
  handler: (context: Context, identity: IdentityBehind<P>) => Response | Promise<Response>,
): (context: Context) => Response | Promise<Response> {
  const gate = latchkey.gate(permissions)
  const settle = ({ identity, refusal }: GateOutcome<IdentityBehind<P>>, context: Context) =>
    refusal === null ? handler(context, identity) : toResponse(refusal, context.req.method)
  const settleLater = async (outcome: Promise<GateOutcome<IdentityBehind<P>>>, context: Context) =>
    settle(await outcome, context)
  return (context) => {
    const outcome = gate(headOf(context))
    return isThenable(outcome) ? settleLater(outcome, context) : settle(outcome, context)
  }
}

/**
 * @hono/node-server keeps Node's request in the environment: it knows the peer, and its headers are cheaper than
 * `Headers`. Other runtimes have neither.
 */
function fromHono(context: Context): HttpRequest {
  const incoming = incomingOf(context)
  if (incoming === null) return withRoutedPath(context, fromFetch(context.req.raw))
  return withRoutedPath(
    context,
    fromFetch(context.req.raw, peerOf(incoming), (name) => incomingHeader(incoming, name)),
  )
}

/** For a guard, which seldom reads a body: then Node's request is enough, and a `Request` need not be made of it. */
function headOf(context: Context): HttpRequest {
  const incoming = incomingOf(context)
  if (incoming === null)
    return {
      ...withRoutedPath(context, fromFetch(context.req.raw)),
      body: (maxBytes) => copyOfBody(context, maxBytes),
    }
  return new Head(incoming, context)
}

/** Hono has resolved the path and decoded it, except for reserved characters and `%`: what is left is decoded once. */
function withRoutedPath(context: Context, request: HttpRequest): HttpRequest {
  return { ...request, rawPath: context.req.path }
}

class Head extends IncomingRequest {
  readonly #context: Context

  constructor(incoming: IncomingMessage, context: Context) {
    super(incoming, (_incoming, maxBytes) => copyOfBody(context, maxBytes))
    this.#context = context
  }

  override get rawPath(): string {
    return this.#context.req.path
  }
}

/** The handler behind the guard reads the body again; what read it before has left it with Hono. */
async function copyOfBody({ req }: Context, maxBytes: number): Promise<Uint8Array> {
  return req.raw.bodyUsed ? new Uint8Array(await req.arrayBuffer()) : readBody(req.raw.clone(), maxBytes)
}

function incomingOf(context: Context): IncomingMessage | null {
  const { incoming } = (context.env ?? {}) as { readonly incoming?: IncomingMessage }
  return incoming?.socket === undefined ? null : incoming
}

export const hono = Object.freeze({ endpoint, guard, route })

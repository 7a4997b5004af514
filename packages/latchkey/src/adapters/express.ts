/** Express 4 and 5: `express.endpoint` serves a view, `express.guard` stands before a route of your own. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gate, GateOutcome } from '../gate.js'
import type { Identity } from '../identity.js'
import type { Latchkey } from '../latchkey.js'
import type { IdentityBehind, Permission } from '../permissions/permission.js'
import type { Handler } from '../request.js'
import { handleRejection, isThenable } from '../thenable.js'
import { IncomingRequest, leaveBody, putIdentity, writeResponse } from './node-http.js'

/** The part of Express's request that is read. */
interface ExpressRequest extends IncomingMessage {
  readonly originalUrl?: string
  /** Where the router that the request is in is mounted. */
  readonly baseUrl?: string
  /** The rest of the path, as that router compares it. */
  readonly path?: string
  readonly body?: unknown
  readonly app?: { get(setting: 'trust proxy'): unknown }
}

type Next = (error?: unknown) => void
type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void

/** Serves a mounted view: `app.post('/api-token-auth/', express.endpoint(latchkey.endpoints.obtainAuthToken))`. */
function endpoint(handler: Handler): Middleware {
  return (request: ExpressRequest, response, next) => {
    handler(new FromExpress(request)).then((answer) => writeResponse(response, answer, request.method), next)
  }
}

/**
 * Middleware that lets through whom the permissions allow and puts `user` and `auth` on the request. Without a
 * permission the Latchkey's own are asked. A refusal is answered in DRF's words. `express.route` does the same for one
 * route, with types and for less.
 */
function guard(latchkey: Latchkey, ...permissions: readonly Permission[]): Middleware {
  const gate = permissions.length > 0 ? latchkey.gate(permissions) : latchkey.gate()
  return behind(gate, (request, _response, identity, next) => {
    putIdentity(request, identity)
    next()
  })
}

/**
 * A whole route behind a guard, with types: the identity comes as an argument, and its user is not null where a
 * permission requires one: `app.get('/hello/', express.route(latchkey, [isAuthenticated], (request, response, { user }) => …))`.
 */
function route<
  const P extends readonly Permission[],
  Request extends IncomingMessage,
  Response extends ServerResponse,
>(
  latchkey: Latchkey,
  permissions: P,
  handler: IdentifiedHandler<IdentityBehind<P>, Request, Response>,
): (request: Request, response: Response, next: Next) => void {
  return behind(latchkey.gate(permissions), handler)
}

type IdentifiedHandler<I extends Identity, Request, Response> = (
  request: Request,
  response: Response,
  identity: I,
  next: Next,
) => unknown

/** The handler with who asks, or the refusal. */
function behind<I extends Identity, Request extends IncomingMessage, Response extends ServerResponse>(
  gate: Gate<I>,
  handler: IdentifiedHandler<I, Request, Response>,
): (request: Request, response: Response, next: Next) => void {
  const settle = (
    { identity, refusal }: GateOutcome<I>,
    request: Request,
    response: Response,
    next: Next,
  ): unknown =>
    refusal === null
      ? handler(request, response, identity, next)
      : writeResponse(response, refusal, request.method)
  // Apart from the middleware, so that a request that need not wait gets no closure.
  const settleLater = async (
    outcome: Promise<GateOutcome<I>>,
    request: Request,
    response: Response,
    next: Next,
  ) => settle(await outcome, request, response, next)
  return (request, response, next) => {
    try {
      const outcome = gate(new FromExpress(request, leaveBody))
      const result = isThenable(outcome)
        ? settleLater(outcome, request, response, next)
        : settle(outcome, request, response, next)
      // Express 4 does not look at what a handler returns.
      handleRejection(result, next)
    } catch (error) {
      next(error)
    }
  }
}

class FromExpress extends IncomingRequest {
  declare protected readonly incoming: ExpressRequest

  protected override get target(): string {
    return this.incoming.originalUrl ?? super.target
  }

  /** With the prefix of mounted routers, and after a middleware has rewritten the URL. Connect knows the target only. */
  override get rawPath(): string {
    const { baseUrl, path } = this.incoming
    if (typeof baseUrl !== 'string' || typeof path !== 'string') return super.rawPath
    // Express adds a slash where the request names the prefix alone.
    return path === '/' && baseUrl !== '' && super.rawPath === baseUrl ? baseUrl : baseUrl + path
  }

  override get parsedBody(): unknown {
    return this.incoming.readableEnded ? this.incoming.body : undefined
  }

  get frameworkProxies(): string | undefined {
    const setting = this.incoming.app?.get('trust proxy')
    const isSet = Array.isArray(setting) ? setting.length > 0 : Boolean(setting)
    return isSet ? '`trust proxy` of Express' : undefined
  }
}

export const express = Object.freeze({ endpoint, guard, route })

/** Hono: `hono.endpoint` serves a view, `hono.guard` stands before a route of your own. */
import type { Context, MiddlewareHandler } from 'hono'
import type { Latchkey } from '../latchkey.js'
import type { IdentityBehind, Permission } from '../permissions/permission.js'
import type { Handler, HttpRequest, RouteMatch } from '../request.js'
import { fromFetch, toResponse } from './fetch.js'

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
  return async (context, next) => {
    const { identity, refusal } = await gate(fromHono(context))
    if (refusal !== null) return toResponse(refusal, context.req.method)
    context.set('user', identity.user)
    context.set('auth', identity.auth)
    await next()
    return undefined
  }
}

function fromHono(context: Context): HttpRequest {
  return fromFetch(context.req.raw, remoteAddressOf(context.env))
}

/** @hono/node-server keeps Node's request in the environment; other runtimes do not say who the peer is. */
function remoteAddressOf(env: unknown): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } }
  return incoming?.socket?.remoteAddress
}

export const hono = Object.freeze({ endpoint, guard })

/** Fastify 5: `fastify.endpoints` serves views, `fastify.guard` stands before a route of your own. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GateOutcome } from '../gate.js'
import type { Latchkey } from '../latchkey.js'
import type { IdentityBehind, Permission } from '../permissions/permission.js'
import type { Handler, HttpResponse } from '../request.js'
import { isThenable } from '../thenable.js'
import { type BodyReader, IncomingRequest, leaveBody, putIdentity } from './node-http.js'

/**
 * A plugin that serves mounted views: `app.register(fastify.endpoints({ '/api-token-auth/': latchkey.endpoints.obtainAuthToken }))`.
 * Parameters of the path (`/api/tokens/:id/`) reach the view. Bodies are left to the view's own parsers.
 */
function endpoints(
  handlers: Readonly<Record<string, Handler>>,
): (app: FastifyInstance, options: object, done: () => void) => void {
  return (app, _options, done) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    for (const [path, handler] of Object.entries(handlers)) {
      app.all<{ Params: Record<string, string> }>(path, async (request, reply) =>
        send(reply, await handler(new FromFastify(request), { params: request.params })),
      )
    }
    done()
  }
}

/**
 * A hook that lets through whom the permissions allow and puts `user` and `auth` on the request:
 * `app.get('/hello/', { onRequest: fastify.guard(latchkey, isAuthenticated) }, …)`. `fastify.route` does the same with
 * types. Without a permission the Latchkey's own are asked. A refusal is answered in DRF's words.
 */
function guard(
  latchkey: Latchkey,
  ...permissions: readonly Permission[]
): (request: FastifyRequest, reply: FastifyReply, done: Done) => void {
  const gate = permissions.length > 0 ? latchkey.gate(permissions) : latchkey.gate()
  const settle = (
    { identity, refusal }: GateOutcome,
    request: FastifyRequest,
    reply: FastifyReply,
    done: Done,
  ) => {
    if (refusal !== null) return void send(reply, refusal)
    putIdentity(request, identity)
    done()
  }
  // Apart from the hook, so that a request that need not wait gets no closure.
  const settleLater = (
    outcome: PromiseLike<GateOutcome>,
    request: FastifyRequest,
    reply: FastifyReply,
    done: Done,
  ) =>
    void Promise.resolve(outcome)
      .then((late) => settle(late, request, reply, done))
      .catch(done)
  return (request, reply, done) => {
    const outcome = gate(new Head(request))
    if (isThenable(outcome)) settleLater(outcome, request, reply, done)
    else settle(outcome, request, reply, done)
  }
}

type Done = (error?: Error) => void

/**
 * A whole route behind a guard, with types: the identity comes as an argument, and its user is not null where a
 * permission requires one: `app.get('/hello/', fastify.route(latchkey, [isAuthenticated], (request, reply, { user }) => …))`.
 */
function route<
  const P extends readonly Permission[],
  Request extends FastifyRequest,
  Reply extends FastifyReply,
  Result,
>(
  latchkey: Latchkey,
  permissions: P,
  handler: (request: Request, reply: Reply, identity: IdentityBehind<P>) => Result,
): (request: Request, reply: Reply) => Result | Reply | Promise<Result | Reply> {
  const gate = latchkey.gate(permissions)
  const settle = (
    { identity, refusal }: GateOutcome<IdentityBehind<P>>,
    request: Request,
    reply: Reply,
  ): Result | Reply => (refusal === null ? handler(request, reply, identity) : send(reply, refusal))
  const settleLater = async (
    outcome: Promise<GateOutcome<IdentityBehind<P>>>,
    request: Request,
    reply: Reply,
  ) => settle(await outcome, request, reply)
  return (request, reply) => {
    const outcome = gate(new Head(request))
    return isThenable(outcome) ? settleLater(outcome, request, reply) : settle(outcome, request, reply)
  }
}

class FromFastify extends IncomingRequest {
  protected readonly request: Routed

  constructor(request: Routed, body?: BodyReader) {
    super(request.raw, body)
    this.request = request
  }

  /** As Fastify's router cuts it off, by the options of the server. */
  override get rawPath(): string {
    const path = super.rawPath
    const { routerOptions, ...config } = this.request.server.initialConfig
    const { useSemicolonDelimiter, ignoreDuplicateSlashes } = { ...config, ...routerOptions }
    const semicolon = useSemicolonDelimiter === true ? path.indexOf(';') : -1
    const cut = semicolon < 0 ? path : path.slice(0, semicolon)
    return ignoreDuplicateSlashes === true ? cut.replace(/\/{2,}/g, '/') : cut
  }

  get frameworkProxies(): string | undefined {
    // Only with the option `trustProxy` does a request have it.
    return 'ips' in this.request ? '`trustProxy` of Fastify' : undefined
  }
}

/** The part of Fastify's request that is read. */
type Routed = Pick<FastifyRequest, 'raw' | 'server'>

/** For a guard, which reads no body; in a route and in later hooks Fastify has parsed it. */
class Head extends FromFastify {
  declare protected readonly request: FastifyRequest

  constructor(request: FastifyRequest) {
    super(request, leaveBody)
  }

  override get parsedBody(): unknown {
    return this.request.body
  }
}

/** Through Fastify's own reply, so that its hooks see the answer. */
function send<Reply extends FastifyReply>(reply: Reply, { status, headers, body }: HttpResponse): Reply {
  reply.code(status)
  for (const [name, value] of headers) reply.header(name, value)
  // What is left of a body that was refused would be read as the next request.
  if (status === 413) reply.header('Connection', 'close')
  // As bytes, for Fastify adds a charset to the type of text.
  reply.send(body === null ? undefined : Buffer.from(body))
  return reply
}

export const fastify = Object.freeze({ endpoints, guard, route })

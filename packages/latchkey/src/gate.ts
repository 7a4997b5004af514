/**
 * The guard for routes that are not views: says who asks, or gives the refusal to send. Adapters put it before handlers
 * of the framework's own.
 */
import { ApiRequest } from './api-request.js'
import { LatchkeyError } from './errors.js'
import { type GuardPolicy, runGuard } from './guard.js'
import { CheckedIdentity, type Identity, requireChecked } from './identity.js'
import type { HttpRequest, HttpResponse } from './request.js'
import type { Services } from './services.js'
import { type ErrorContext, errorAnswer } from './views/error-answer.js'
import { type Parser, parseBody } from './views/parsers/parser.js'
import { jsonText } from './views/renderers/json.js'
import { type ApiResponse, headerLines, withContentType } from './views/response.js'

/** Either who asks, and they may; or the answer that says no. */
export type GateOutcome<I extends Identity = Identity> =
  | { readonly identity: I; readonly refusal: null }
  | { readonly identity: null; readonly refusal: HttpResponse }

/** A guard bound to its policy. Answers synchronously when it can. Never throws, never rejects. */
export type Gate<I extends Identity = Identity> = (
  request: HttpRequest,
) => GateOutcome<I> | Promise<GateOutcome<I>>

export interface GateContext extends ErrorContext {
  readonly services: Services
  readonly parsers: readonly Parser[]
  readonly maxBodyBytes: number
}

function refusalOf(answer: ApiResponse, { vary }: ApiRequest): GateOutcome {
  const headers = withContentType(headerLines(answer), 'application/json')
  if (vary.length > 0) headers.push(['Vary', vary.join(', ')])
  const { status, data } = answer
  return { identity: null, refusal: { status, headers, body: jsonText(data, 0) } }
}

/** Builds a gate. Refusals are JSON, in DRF's words. */
export function createGate(policy: GuardPolicy, context: GateContext): Gate {
  const requestContext = {
    isTrustedProxy: context.services.isTrustedProxy,
    proxyWarnings: context.services.proxyWarnings,
    maxBodyBytes: context.maxBodyBytes,
    parse: (body: Uint8Array, contentType: string | undefined) =>
      parseBody(context.parsers, body, contentType),
    route: {},
    leavesBody: true,
  }
  const refuse = (request: ApiRequest, error: unknown): GateOutcome => {
    try {
      return refusalOf(errorAnswer(error, policy, request.logged, context), request)
    } catch (trouble) {
      // JSON cannot express what the app's handler made of it.
      const { onError } = context
      onError(trouble, request.logged)
      return refusalOf(errorAnswer(error, policy, request.logged, { onError }), request)
    }
  }
  // The path is looked at last: a permission must have read it for its spelling to matter.
  const pass = (request: ApiRequest, identity: CheckedIdentity): GateOutcome =>
    request.isPathClear ? { identity, refusal: null } : refuse(request, new LatchkeyError('not_found'))
  const settle = async (
    request: ApiRequest,
    identity: PromiseLike<CheckedIdentity>,
  ): Promise<GateOutcome> => {
    try {
      return pass(request, requireChecked(await identity))
    } catch (error) {
      return refuse(request, error)
    }
  }
  const { proxyWarnings } = requestContext
  return (http) => {
    const request = new ApiRequest(http, requestContext)
    try {
      if (!proxyWarnings.hasSeenFramework) proxyWarnings.seeFramework(http)
      const identity = runGuard(policy, request, context.services)
      return CheckedIdentity.holds(identity) ? pass(request, identity) : settle(request, identity)
    } catch (error) {
      return refuse(request, error)
    }
  }
}

/**
 * The guard for routes that are not views: says who asks, or gives the refusal to send. Adapters put it before handlers
 * of the framework's own.
 */
import { ApiRequest } from './api-request.js'
import { type GuardPolicy, runGuard } from './guard.js'
import type { Identity } from './identity.js'
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
  const pass = (identity: Identity): GateOutcome => ({ identity, refusal: null })
  const refuse = (request: ApiRequest, error: unknown): GateOutcome => {
    try {
      return refusalOf(errorAnswer(error, policy, request, context), request)
    } catch (trouble) {
      // JSON cannot express what the app's handler made of it.
      const { onError } = context
      onError(trouble, request)
      return refusalOf(errorAnswer(error, policy, request, { onError }), request)
    }
  }
  const settle = (request: ApiRequest, identity: Promise<Identity>): Promise<GateOutcome> =>
    identity.then(pass, (error: unknown) => refuse(request, error))
  const { proxyWarnings } = requestContext
  return (http) => {
    if (!proxyWarnings.hasSeenFramework) proxyWarnings.seeFramework(http)
    const request = new ApiRequest(http, requestContext)
    try {
      const identity = runGuard(policy, request, context.services)
      return identity instanceof Promise ? settle(request, identity) : pass(identity)
    } catch (error) {
      return refuse(request, error)
    }
  }
}

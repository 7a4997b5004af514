/**
 * The life of a request inside a view, in DRF's order: negotiate -> guard -> find the handler -> run it -> render.
 * Whatever goes wrong becomes a response here, and only here.
 */
import { ApiRequest } from '../api-request.js'
import { LatchkeyError } from '../errors.js'
import { runGuard } from '../guard.js'
import { checkAnswer, prototypeFree, rule } from '../options.js'
import type { HttpRequest, HttpResponse, RouteMatch } from '../request.js'
import type { Services } from '../services.js'
import { type ErrorContext, errorAnswer } from './error-answer.js'
import { viewMetadata } from './metadata.js'
import { requestedFormat, selectRenderer } from './negotiation.js'
import { parseBody } from './parsers/parser.js'
import type { Renderer } from './renderers/renderer.js'
import { ApiResponse, headerLines, isResponse, withContentType } from './response.js'
import type { CompletePolicy, View } from './view.js'

export interface DispatchContext extends ErrorContext {
  readonly services: Services
}

/** What the parts of an answer are taken from, and no other members. */
const RENDERED = rule(
  'be { body, status?, headers? }',
  (value) => typeof value === 'object' && value !== null,
)

/** The longest query that is looked at; a longer one is refused before anything is done with it. */
const MAX_TARGET_LENGTH = 65_536

/** Runs a view. Never rejects: an error has become a response, and 5xx ones have been told to `onError`. */
export async function dispatch(
  view: View,
  policy: CompletePolicy,
  http: HttpRequest,
  route: RouteMatch,
  context: DispatchContext,
): Promise<HttpResponse> {
  const { proxyWarnings } = context.services
  if (!proxyWarnings.hasSeenFramework) proxyWarnings.seeFramework(http)
  const request = new ApiRequest(http, {
    isTrustedProxy: context.services.isTrustedProxy,
    proxyWarnings,
    maxBodyBytes: policy.maxBodyBytes,
    parse: (body, contentType) => parseBody(policy.parsers, body, contentType),
    route,
    leavesBody: false,
  })
  const [fallback] = policy.renderers
  let accepted = { renderer: fallback, mediaType: fallback.mediaType }
  let answer: ApiResponse
  try {
    if (http.rawPath.length + http.query.length > MAX_TARGET_LENGTH) throw new LatchkeyError('uri_too_long')
    accepted = selectRenderer(policy.renderers, {
      accept: request.header('accept'),
      format: requestedFormat(http.query, route.formatSuffix),
    })
    answer = await run(view, policy, request, context.services)
  } catch (error) {
    answer = errorAnswer(error, policy, request.logged, context)
  }
  try {
    return render(answer, view, policy, request, accepted)
  } catch (error) {
    // By its own words only: what could not be rendered may have been the handler's.
    const failed = errorAnswer(error, policy, request.logged, { onError: context.onError })
    return render(failed, view, policy, request, { renderer: fallback, mediaType: fallback.mediaType })
  }
}

async function run(
  view: View,
  policy: CompletePolicy,
  request: ApiRequest,
  services: Services,
): Promise<ApiResponse> {
  request.identify(await runGuard(policy, request, services))
  if (!request.isPathClear) throw new LatchkeyError('not_found')
  const handler = view.handlers.get(request.method)
  if (handler !== undefined) {
    const result = await handler(request, services)
    // By its name: a server may have put another class in place of the global one.
    if (Object.prototype.toString.call(result) === '[object Response]')
      throw new TypeError('a handler returned a Response of fetch; return data, or response(data, { … })')
    return isResponse(result) ? result : new ApiResponse(result)
  }
  if (request.method === 'OPTIONS') {
    return new ApiResponse(
      viewMetadata(view, policy, { user: request.user, auth: request.auth }, request.path),
    )
  }
  throw new LatchkeyError('method_not_allowed', {
    message: `Method "${request.method.slice(0, 50)}" not allowed.`,
  })
}

function render(
  answer: ApiResponse,
  view: View,
  policy: CompletePolicy,
  request: ApiRequest,
  accepted: { readonly renderer: Renderer; readonly mediaType: string },
): HttpResponse {
  const { renderer, mediaType } = accepted
  const vary = [...(policy.renderers.length > 1 ? ['Accept'] : []), ...request.vary]
  if (renderer.varyOn !== undefined && !vary.includes(renderer.varyOn)) vary.push(renderer.varyOn)
  const headers = headerLines(answer)
  if (policy.carriesSecret) headers.push(['Cache-Control', 'no-store'])
  if (vary.length > 0) headers.push(['Vary', vary.join(', ')])
  headers.push(['Allow', view.allow])
  const answered = renderer.render(answer.data, {
    mediaType,
    status: answer.status,
    headers,
    method: request.method,
    path: request.path,
    viewName: policy.name ?? 'View',
    viewDescription: policy.description ?? '',
    username: request.user?.username ?? null,
  })
  checkAnswer(`renderers: ${renderer.format}.render()`, answered, RENDERED)
  const rendered = prototypeFree(answered)
  if (rendered.body === null) return { status: rendered.status ?? answer.status, headers, body: null }
  const typed = withContentType(headers, renderer.contentType)
  return {
    status: rendered.status ?? answer.status,
    headers: rendered.headers === undefined ? typed : [...typed, ...rendered.headers],
    body: rendered.body,
  }
}

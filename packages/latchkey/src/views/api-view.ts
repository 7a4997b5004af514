/** How apps write views: DRF's `APIView` and `@api_view`. The dispatcher runs what this builds. */
import { composeAuthenticators } from '../authenticators/compose.js'
import { checkOptions } from '../options.js'
import type { IdentityBehind, Permission } from '../permissions/permission.js'
import {
  VIEW_HANDLER_RULES,
  VIEW_METHODS,
  VIEW_POLICY_RULES,
  type View,
  type ViewHandler,
  type ViewHandlers,
  type ViewMethod,
  type ViewOptions,
  type ViewPolicy,
} from './view.js'

/** Methods as the function form names them. */
export type MethodName = Uppercase<ViewMethod>

/**
 * A view with a handler per method: `apiView({ permissions: [isAuthenticated], get: ({ user }) => ({ hello: user.username }) })`.
 * HEAD follows GET, OPTIONS describes the view, any other method is 405.
 */
export function apiView<const P extends readonly Permission[] = readonly Permission[]>(
  options: ViewOptions<P>,
): View
/** A view with one handler for some methods: `apiView(['GET'], (request) => …, { permissions: [allowAny] })`. */
export function apiView<const P extends readonly Permission[] = readonly Permission[]>(
  methods: readonly MethodName[],
  handler: ViewHandler<IdentityBehind<P>>,
  policy?: ViewPolicy<P>,
): View
export function apiView<P extends readonly Permission[]>(
  first: ViewOptions<P> | readonly MethodName[],
  handler?: ViewHandler<IdentityBehind<P>>,
  policy: ViewPolicy<P> = {},
): View {
  if (!isMethodList(first)) {
    const options = checkOptions('apiView', first, { ...VIEW_HANDLER_RULES, ...VIEW_POLICY_RULES })
    return viewOf(options, options)
  }
  if (typeof handler !== 'function') throw new TypeError('handler: must be a function')
  const ownPolicy: ViewPolicy<P> = checkOptions<ViewPolicy<P>>('apiView', policy, VIEW_POLICY_RULES)
  const handlers: Partial<Record<ViewMethod, ViewHandler<IdentityBehind<P>>>> = {}
  for (const method of VIEW_METHODS) {
    if (first.some((name) => name.toLowerCase() === method)) handlers[method] = handler
  }
  if (Object.keys(handlers).length !== first.length)
    throw new TypeError(`methods: ${first.join(', ')} are not all known`)
  return viewOf(handlers, ownPolicy)
}

function isMethodList(value: object): value is readonly MethodName[] {
  return Array.isArray(value)
}

function viewOf<P extends readonly Permission[]>(
  handlers: ViewHandlers<IdentityBehind<P>>,
  policy: ViewPolicy<P>,
): View {
  const byMethod = new Map<string, ViewHandler>()
  for (const method of VIEW_METHODS) {
    const handler = method === 'head' ? (handlers.head ?? handlers.get) : handlers[method]
    // The guard has checked the permissions that `IdentityBehind` was computed from.
    if (handler !== undefined) byMethod.set(method.toUpperCase(), handler as ViewHandler)
  }
  if (byMethod.size === 0) throw new TypeError('apiView: needs a handler for at least one method')
  const { authentication, permissions, throttles, parsers, renderers, maxBodyBytes, name, description } =
    policy
  const { fields, carriesSecret, challenge } = policy
  return Object.freeze({
    handlers: byMethod,
    allow: VIEW_METHODS.map((method) => method.toUpperCase())
      .filter((method) => method === 'OPTIONS' || byMethod.has(method))
      .join(', '),
    policy: Object.freeze({
      ...(authentication && { authentication: composeAuthenticators(authentication) }),
      ...(permissions && { permissions: [...permissions] }),
      ...(throttles && { throttles: [...throttles] }),
      ...(parsers && { parsers: [...parsers] }),
      ...(renderers && { renderers: [...renderers] }),
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(challenge !== undefined && { challenge }),
      ...(fields && { fields }),
      ...(carriesSecret !== undefined && { carriesSecret }),
    }),
  })
}

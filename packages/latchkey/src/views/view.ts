/** What a view is: handlers with the authenticators, permissions, throttles, parsers and renderers around them. */
import type { ApiRequest } from '../api-request.js'
import { AUTHENTICATORS, type Authenticator } from '../authenticators/authenticator.js'
import type { GuardPolicy } from '../guard.js'
import type { Identity } from '../identity.js'
import { BOOLEAN, FUNCTION, OPTIONS, type Rules, TEXT, wholeNumber } from '../options.js'
import { type IdentityBehind, PERMISSIONS, type Permission } from '../permissions/permission.js'
import type { Services } from '../services.js'
import { THROTTLES, type Throttle } from '../throttles/throttle.js'
import type { Fields } from './fields.js'
import { PARSERS, type Parser } from './parsers/parser.js'
import { RENDERERS, type Renderer } from './renderers/renderer.js'

/** DRF's order, which is that of the `Allow` header. */
export const VIEW_METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'] as const

export type ViewMethod = (typeof VIEW_METHODS)[number]

/**
 * Answers with data (200, rendered as the caller asked), with `response(data, { status, headers })`, or with nothing
 * (an empty body). What it throws becomes the error's own status, or 500.
 */
export type ViewHandler<I extends Identity = Identity> = (
  request: ApiRequest<I>,
  services: Services,
) => unknown

/** What a view may set for itself; whatever it leaves out comes from `createLatchkey`. */
export interface ViewPolicy<P extends readonly Permission[] = readonly Permission[]> {
  readonly authentication?: readonly Authenticator[]
  readonly permissions?: P
  readonly throttles?: readonly Throttle[]
  readonly parsers?: readonly Parser[]
  readonly renderers?: readonly Renderer[]
  /** Bytes of a body beyond which the answer is 413. */
  readonly maxBodyBytes?: number
  /** Shown by OPTIONS and on the HTML page. Default is `View`. */
  readonly name?: string
  /** Shown by OPTIONS and on the HTML page. */
  readonly description?: string
  /** The challenge of a 401, in place of the first authenticator's: for login views, which have none. */
  readonly challenge?: string
  /** The fields that POST and PUT take, for OPTIONS. */
  readonly fields?: Fields
  /** True: answers carry a secret, so every one is `Cache-Control: no-store` (RFC 6749, 5.1). */
  readonly carriesSecret?: boolean
}

/** What `createLatchkey` and every view take alike. */
export const ROUTE_RULES = Object.freeze({
  authentication: AUTHENTICATORS,
  permissions: PERMISSIONS,
  throttles: THROTTLES,
  parsers: PARSERS,
  renderers: RENDERERS,
  maxBodyBytes: wholeNumber(0),
})

export const VIEW_POLICY_RULES: Rules<ViewPolicy> = Object.freeze({
  ...ROUTE_RULES,
  name: TEXT,
  description: TEXT,
  challenge: TEXT,
  fields: OPTIONS,
  carriesSecret: BOOLEAN,
})

/** A view's policy with every gap filled from `createLatchkey`. */
export interface CompletePolicy extends GuardPolicy, Omit<ViewPolicy, keyof GuardPolicy> {
  readonly parsers: readonly Parser[]
  readonly renderers: readonly [Renderer, ...Renderer[]]
  readonly maxBodyBytes: number
}

export type ViewHandlers<I extends Identity = Identity> = { readonly [M in ViewMethod]?: ViewHandler<I> }

export const VIEW_HANDLER_RULES: Rules<ViewHandlers> = Object.freeze({
  get: FUNCTION,
  post: FUNCTION,
  put: FUNCTION,
  patch: FUNCTION,
  delete: FUNCTION,
  head: FUNCTION,
  options: FUNCTION,
  trace: FUNCTION,
})

export type ViewOptions<P extends readonly Permission[] = readonly Permission[]> = ViewPolicy<P> &
  ViewHandlers<IdentityBehind<P>>

/** A view, ready to be mounted by `latchkey.handler(view)`. */
export interface View {
  readonly policy: ViewPolicy
  /** By upper-case method. */
  readonly handlers: ReadonlyMap<string, ViewHandler>
  /** The methods it has, as `Allow` names them. */
  readonly allow: string
}

/**
 * The pipeline around a route, and the only place that knows its order:
 * throttle by address -> authenticate -> authorize -> throttle by identity.
 */
import type { Authenticator, CredentialRequest } from './authenticators/authenticator.js'
import { LatchkeyError } from './errors.js'
import { ANONYMOUS, type Identity } from './identity.js'
import { isAllowed, type Permission } from './permissions/permission.js'
import type { Services } from './services.js'
import { applyThrottles, type Throttle } from './throttles/throttle.js'

/** What guards a route. */
export interface GuardPolicy {
  readonly authentication: readonly Authenticator[]
  readonly permissions: readonly Permission[]
  readonly throttles: readonly Throttle[]
  /** The `WWW-Authenticate` value of a 401, in place of the first authenticator's. */
  readonly challenge?: string | undefined
}

export type GuardedRequest = CredentialRequest & { readonly path: string }

/**
 * Who asks, if they may. Answers synchronously when every step can (a hot token, throttles that count here).
 * Throws or rejects with `throttled`, `authentication_failed`, `not_authenticated`, `permission_denied`,
 * `store_unavailable`.
 */
export function runGuard(
  policy: GuardPolicy,
  request: GuardedRequest,
  services: Services,
): Identity | Promise<Identity> {
  return policy.throttles.length === 0
    ? identify(policy, request, services)
    : identifyThrottled(policy, request, services)
}

function identifyThrottled(
  policy: GuardPolicy,
  request: GuardedRequest,
  services: Services,
): Identity | Promise<Identity> {
  const throttle = (stage: Throttle['stage'], identity: Identity | null) =>
    applyThrottles(policy.throttles, stage, request, identity, services.throttles, services.clock.nowMs())
  return after(throttle('address', null), () =>
    after(identify(policy, request, services), (identity) =>
      after(throttle('identity', identity), () => identity),
    ),
  )
}

/**
 * Without throttles this is all of a request. What must wait is handed on to functions of its own: a closure in here
 * would be made for every request, and a hot token has no use for one.
 */
function identify(
  policy: GuardPolicy,
  request: GuardedRequest,
  services: Services,
): Identity | Promise<Identity> {
  const identity = authenticate(policy.authentication, request, services, 0)
  return identity instanceof Promise
    ? authorizeLater(policy, identity, request)
    : authorize(policy, identity, request)
}

/** The next step: at once where the one before is done, else when it is. */
function after<Value, Result>(
  step: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return step instanceof Promise ? step.then(next) : next(step)
}

/** The first authenticator that recognises a credential decides; the first that throws ends the request. */
function authenticate(
  authenticators: readonly Authenticator[],
  request: GuardedRequest,
  services: Services,
  from: number,
): Identity | Promise<Identity> {
  for (let index = from; index < authenticators.length; index += 1) {
    const identity = authenticators[index]?.authenticate(request, services) ?? null
    if (identity instanceof Promise) return orNext(identity, authenticators, request, services, index + 1)
    if (identity !== null) return identity
  }
  return ANONYMOUS
}

async function orNext(
  identity: Promise<Identity | null>,
  authenticators: readonly Authenticator[],
  request: GuardedRequest,
  services: Services,
  next: number,
): Promise<Identity> {
  return (await identity) ?? authenticate(authenticators, request, services, next)
}

/** DRF's rule: who is nobody is asked to say who they are; who is somebody is told that they may not. */
function authorize(policy: GuardPolicy, identity: Identity, request: GuardedRequest): Identity {
  for (const permission of policy.permissions) {
    if (!isAllowed(permission, identity, request)) throw denied(policy, permission, identity, request)
  }
  return identity
}

async function authorizeLater(
  policy: GuardPolicy,
  identity: Promise<Identity>,
  request: GuardedRequest,
): Promise<Identity> {
  return authorize(policy, await identity, request)
}

function denied(
  { authentication }: GuardPolicy,
  permission: Permission,
  identity: Identity,
  request: GuardedRequest,
): LatchkeyError {
  if (authentication.length > 0 && identity === ANONYMOUS) return new LatchkeyError('not_authenticated')
  const { message, challengeParameters } = permission.deniedBy?.(identity, request) ?? permission
  return new LatchkeyError('permission_denied', {
    ...(message === undefined ? {} : { message }),
    ...(challengeParameters === undefined ? {} : { challengeParameters }),
  })
}

/**
 * How a refusal is shown: a 401 needs a challenge, and only the first authenticator's counts; without one it is a 403
 * (DRF's rule). Parameters of a refusal stand behind the scheme, whatever the status.
 */
export function refusalStatus(
  error: LatchkeyError,
  { authentication, challenge: own }: Pick<GuardPolicy, 'authentication' | 'challenge'>,
): { readonly status: number; readonly challenge: string | null } {
  const { status, challengeParameters: parameters } = error
  const offered = own ?? authentication[0]?.challenge ?? null
  if (offered === null) return { status: status === 401 ? 403 : status, challenge: null }
  if (parameters !== undefined) {
    return { status, challenge: `${offered}${offered.includes(' ') ? ', ' : ' '}${parameters}` }
  }
  return { status, challenge: status === 401 ? offered : null }
}

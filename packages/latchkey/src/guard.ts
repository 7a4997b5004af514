/**
 * The pipeline around a route, and the only place that knows its order:
 * throttle by address -> authenticate -> authorize -> throttle by identity.
 */
import type { Authenticator, CredentialRequest } from './authenticators/authenticator.js'
import { LatchkeyError } from './errors.js'
import { ANONYMOUS, CheckedIdentity, checkedIdentity, type Identity } from './identity.js'
import { checkAnswer, OPTIONS } from './options.js'
import { isAllowed, type Permission } from './permissions/permission.js'
import type { Services } from './services.js'
import { isThenable } from './thenable.js'
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
 * Who asks, if they may: always a `CheckedIdentity`. Answers synchronously when every step can (a hot token, throttles
 * that count here).
 * Throws or rejects with `throttled`, `authentication_failed`, `not_authenticated`, `permission_denied`,
 * `store_unavailable`.
 */
export function runGuard(
  policy: GuardPolicy,
  request: GuardedRequest,
  services: Services,
): CheckedIdentity | Promise<CheckedIdentity> {
  return policy.throttles.length === 0
    ? identify(policy, request, services)
    : identifyThrottled(policy, request, services)
}

function identifyThrottled(
  policy: GuardPolicy,
  request: GuardedRequest,
  services: Services,
): CheckedIdentity | Promise<CheckedIdentity> {
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
): CheckedIdentity | Promise<CheckedIdentity> {
  const identity = authenticate(policy.authentication, request, services, 0)
  return CheckedIdentity.holds(identity)
    ? authorize(policy, identity, request)
    : authorizeLater(policy, identity, request)
}

/** The next step: at once where the one before is done, else when it is. */
function after<Value, Result>(
  step: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return isThenable(step) ? step.then(next) : next(step)
}

/** The first authenticator that recognises a credential decides; the first that throws ends the request. */
function authenticate(
  authenticators: readonly Authenticator[],
  request: GuardedRequest,
  services: Services,
  from: number,
): CheckedIdentity | Promise<CheckedIdentity> {
  for (let index = from; index < authenticators.length; index += 1) {
    const authenticator = authenticators[index]
    const answer: unknown = authenticator?.authenticate(request, services)
    if (CheckedIdentity.holds(answer)) return answer
    if (answer === null || answer === undefined) continue
    if (isThenable(answer)) return orNext(answer, authenticators, request, services, index)
    return checkedIdentity(answer, sourceOf(authenticator))
  }
  return ANONYMOUS
}

async function orNext(
  answering: PromiseLike<unknown>,
  authenticators: readonly Authenticator[],
  request: GuardedRequest,
  services: Services,
  index: number,
): Promise<CheckedIdentity> {
  const answer = await answering
  if (CheckedIdentity.holds(answer)) return answer
  if (answer === null || answer === undefined)
    return authenticate(authenticators, request, services, index + 1)
  return checkedIdentity(answer, sourceOf(authenticators[index]))
}

function sourceOf(authenticator: Authenticator | undefined): string {
  return `authentication: ${authenticator?.name ?? 'an authenticator'}.authenticate()`
}

/** DRF's rule: who is nobody is asked to say who they are; who is somebody is told that they may not. */
function authorize(policy: GuardPolicy, identity: CheckedIdentity, request: GuardedRequest): CheckedIdentity {
  for (const permission of policy.permissions) {
    if (!isAllowed(permission, identity, request)) throw denied(policy, permission, identity, request)
  }
  return identity
}

async function authorizeLater(
  policy: GuardPolicy,
  identity: Promise<CheckedIdentity>,
  request: GuardedRequest,
): Promise<CheckedIdentity> {
  return authorize(policy, await identity, request)
}

function denied(
  { authentication }: GuardPolicy,
  permission: Permission,
  identity: Identity,
  request: GuardedRequest,
): LatchkeyError {
  if (authentication.length > 0 && identity === ANONYMOUS) return new LatchkeyError('not_authenticated')
  const part = permission.deniedBy?.(identity, request)
  if (part !== undefined) checkAnswer(`${permission.name}.deniedBy()`, part, OPTIONS)
  const { message, challengeParameters } = part ?? permission
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

/** What a permission is: a sentence about an identity, without I/O. The guard asks; views list them. */
import type { AuthenticatedIdentity, Identity } from '../identity.js'
import { checkOptions, checkValue, FUNCTION, hasMethods, listOf, required, TEXT } from '../options.js'
import { handleRejection } from '../thenable.js'

/** What a permission may look at beside the identity. */
export interface PermissionRequest {
  readonly method: string
  /**
   * The path that was routed, percent-decoded once, as DRF's `request.path`. Where a permission has read it and it has
   * more than one reading (`..`, `//`, `\\`, `%2F`), the request is refused with 404 whatever the permission says.
   */
  readonly path: string
}

/**
 * Allows or denies. `RequiresUser` is true for one that only ever allows somebody: handlers behind it get a `user`
 * that is not null, in the types as well.
 */
export interface Permission<RequiresUser extends boolean = boolean> {
  readonly name: string
  readonly requiresUser: RequiresUser
  /** The body of the 403 to somebody who is known. Default is DRF's sentence. */
  readonly message?: string
  /** What `WWW-Authenticate` of that 403 has behind the scheme: RFC 6750's `error="insufficient_scope"`. */
  readonly challengeParameters?: string
  allows(identity: Identity, request: PermissionRequest): boolean
  /** Of a combination that has just denied: the part that did, whose refusal is shown. */
  deniedBy?(identity: Identity, request: PermissionRequest): Permission | undefined
}

export interface PermissionOptions {
  /** The body of the 403. Default is "You do not have permission to perform this action.". */
  readonly message?: string
}

/**
 * A permission of your own, in one line. `user` is null for an anonymous request, so ask for it first:
 * `permission('IsOwner', ({ user }, { path }) => user !== null && path.startsWith(`/${user.username}/`))`.
 */
export function permission(
  name: string,
  allows: (identity: Identity, request: PermissionRequest) => boolean,
  options: PermissionOptions = {},
): Permission<false> {
  checkValue('name', name, required(TEXT))
  checkValue('allows', allows, required(FUNCTION))
  const { message } = checkOptions('permission', options, { message: TEXT })
  return Object.freeze({
    name,
    requiresUser: false as const,
    allows,
    ...(message !== undefined && { message }),
  })
}

/**
 * What a permission says of a request: the one way to ask it. Null where it says nothing.
 * @throws TypeError for an answer that is none: what is not `true` must not let anybody in, and a promise is not `true`
 */
function answerOf(permission: Permission, identity: Identity, request: PermissionRequest): boolean | null {
  const allowed: unknown = permission.allows(identity, request)
  if (allowed === true || allowed === false) return allowed
  if (allowed === null || allowed === undefined) return null
  // Nobody waits for it, and its rejection would end the process.
  handleRejection(allowed)
  throw new TypeError(
    `allows: of the permission ${permission.name} must return true or false, and no promise`,
  )
}

/** Whether a permission says yes. */
export function isAllowed(permission: Permission, identity: Identity, request: PermissionRequest): boolean {
  return answerOf(permission, identity, request) === true
}

/** Whether it says no: more than saying nothing. */
export function isDenied(permission: Permission, identity: Identity, request: PermissionRequest): boolean {
  return answerOf(permission, identity, request) === false
}

export const isPermission = hasMethods('allows')

/** What an option that takes permissions must be. */
export const PERMISSIONS = listOf('permissions, such as isAuthenticated', isPermission)

/** The identity that a handler behind these permissions gets: somebody, as soon as one of them requires a user. */
export type IdentityBehind<P extends readonly Permission[]> =
  Extract<P[number], Permission<true>> extends never ? Identity : AuthenticatedIdentity

/** Permissions out of permissions: DRF's `&`, `|` and `~`. */
import type { Identity } from '../identity.js'
import { checkValue, someOf } from '../options.js'
import { isAllowed, isDenied, isPermission, type Permission, type PermissionRequest } from './permission.js'

type AnyTrue<P extends readonly Permission[]> =
  Extract<P[number], Permission<true>> extends never ? false : true
type AllTrue<P extends readonly Permission[]> =
  Exclude<P[number], Permission<true>> extends never ? true : false

/** `all` of none would let everybody in. */
const SOME_PERMISSIONS = someOf('permissions, such as isAuthenticated', isPermission)

/** Allows what every one allows: DRF's `A & B`. The first that denies gives the message. */
export function all<const P extends readonly [Permission, ...Permission[]]>(
  ...permissions: P
): Permission<AnyTrue<P>> {
  checkValue('all', permissions, SOME_PERMISSIONS)
  const allows: Permission['allows'] = (identity, request) =>
    permissions.every((one) => isAllowed(one, identity, request))
  return Object.freeze({
    ...combined('all', permissions, permissions.some(requiresUser) as AnyTrue<P>, allows),
    deniedBy: (identity: Identity, request: PermissionRequest) => {
      const part = permissions.find((one) => !isAllowed(one, identity, request))
      return part?.deniedBy?.(identity, request) ?? part
    },
  })
}

/** Allows what at least one allows: DRF's `A | B`. */
export function any<const P extends readonly [Permission, ...Permission[]]>(
  ...permissions: P
): Permission<AllTrue<P>> {
  checkValue('any', permissions, SOME_PERMISSIONS)
  return combined('any', permissions, permissions.every(requiresUser) as AllTrue<P>, (identity, request) =>
    permissions.some((one) => isAllowed(one, identity, request)),
  )
}

/** Allows what the other one denies: DRF's `~A`. */
export function not(permission: Permission): Permission<false> {
  checkValue('not', [permission], SOME_PERMISSIONS)
  return combined('not', [permission], false as const, (identity, request) =>
    isDenied(permission, identity, request),
  )
}

function combined<R extends boolean>(
  word: string,
  permissions: readonly Permission[],
  needsUser: R,
  allows: Permission['allows'],
): Permission<R> {
  const name = `${word}(${permissions.map((one) => one.name).join(', ')})`
  return Object.freeze({ name, requiresUser: needsUser, allows })
}

function requiresUser(permission: Permission): boolean {
  return permission.requiresUser
}

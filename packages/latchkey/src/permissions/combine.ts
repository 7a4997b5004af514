/** Permissions out of permissions: DRF's `&`, `|` and `~`. */
import type { Permission } from './permission.js'

type AnyTrue<P extends readonly Permission[]> =
  Extract<P[number], Permission<true>> extends never ? false : true
type AllTrue<P extends readonly Permission[]> =
  Exclude<P[number], Permission<true>> extends never ? true : false

/** Allows what every one allows: DRF's `A & B`. The first that denies gives the message. */
export function all<const P extends readonly [Permission, ...Permission[]]>(
  ...permissions: P
): Permission<AnyTrue<P>> {
  return combined('all', permissions, permissions.some(requiresUser) as AnyTrue<P>, (identity, request) =>
    permissions.every((one) => one.allows(identity, request)),
  )
}

/** Allows what at least one allows: DRF's `A | B`. */
export function any<const P extends readonly [Permission, ...Permission[]]>(
  ...permissions: P
): Permission<AllTrue<P>> {
  return combined('any', permissions, permissions.every(requiresUser) as AllTrue<P>, (identity, request) =>
    permissions.some((one) => one.allows(identity, request)),
  )
}

/** Allows what the other one denies: DRF's `~A`. */
export function not(permission: Permission): Permission<false> {
  return combined(
    'not',
    [permission],
    false as const,
    (identity, request) => !permission.allows(identity, request),
  )
}

function combined<R extends boolean>(
  word: string,
  permissions: readonly Permission[],
  needsUser: R,
  allows: Permission['allows'],
): Permission<R> {
  const name = `${word}(${permissions.map((one) => one.name).join(', ')})`
  const message = word === 'all' ? permissions.find((one) => one.message !== undefined)?.message : undefined
  return Object.freeze({
    name,
    requiresUser: needsUser,
    allows,
    ...(message === undefined ? {} : { message }),
  })
}

function requiresUser(permission: Permission): boolean {
  return permission.requiresUser
}

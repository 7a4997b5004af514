/** Safe methods (GET, HEAD, OPTIONS) for everyone; other methods need an authenticated user. */
import { type Identity, isAuthenticatedIdentity } from '../identity.js'
import { SAFE_METHODS } from '../request.js'
import type { Permission, PermissionRequest } from './permission.js'

/** DRF's `IsAuthenticatedOrReadOnly`. */
export const isAuthenticatedOrReadOnly: Permission<false> = Object.freeze({
  name: 'IsAuthenticatedOrReadOnly',
  requiresUser: false,
  allows: (identity: Identity, { method }: PermissionRequest) =>
    SAFE_METHODS.has(method) || isAuthenticatedIdentity(identity),
})

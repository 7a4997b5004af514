/** Allows staff only. */
import { type Identity, isAuthenticatedIdentity } from '../identity.js'
import type { Permission } from './permission.js'

/** DRF's `IsAdminUser`: the user is staff. Being a superuser alone is not enough, as in Django. */
export const isAdminUser: Permission<true> = Object.freeze({
  name: 'IsAdminUser',
  requiresUser: true,
  allows: (identity: Identity) => isAuthenticatedIdentity(identity) && identity.user.isStaff === true,
})

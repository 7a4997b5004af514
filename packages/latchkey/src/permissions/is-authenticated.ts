/** Allows authenticated users only. */
import { isAuthenticatedIdentity } from '../identity.js'
import type { Permission } from './permission.js'

/** DRF's `IsAuthenticated`: handlers behind it get a user that is not null. */
export const isAuthenticated: Permission<true> = Object.freeze({
  name: 'IsAuthenticated',
  requiresUser: true,
  allows: isAuthenticatedIdentity,
})

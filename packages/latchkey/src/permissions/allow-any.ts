/** Everybody, nobody included: says out loud that a view is open. */
import type { Permission } from './permission.js'

/** DRF's `AllowAny`. */
export const allowAny: Permission<false> = Object.freeze({
  name: 'AllowAny',
  requiresUser: false,
  allows: () => true,
})

/** Anybody who is somebody. */
import type { Permission } from './permission.js'

/** DRF's `IsAuthenticated`: handlers behind it get a user that is not null. */
export const isAuthenticated: Permission<true> = Object.freeze({
  name: 'IsAuthenticated',
  requiresUser: true,
  allows: ({ user }: { user: object | null }) => user !== null,
})

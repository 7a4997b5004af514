/** Everybody may look, somebody may change. */
import { SAFE_METHODS } from '../request.js'
import type { Permission } from './permission.js'

/** DRF's `IsAuthenticatedOrReadOnly`. */
export const isAuthenticatedOrReadOnly: Permission<false> = Object.freeze({
  name: 'IsAuthenticatedOrReadOnly',
  requiresUser: false,
  allows: ({ user }: { user: object | null }, { method }: { method: string }) =>
    SAFE_METHODS.has(method) || user !== null,
})

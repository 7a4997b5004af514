/** Somebody without credentials, for tests of views and guards: DRF's `force_authenticate`. */
import type { Authenticator } from '../authenticators/authenticator.js'
import type { User } from '../identity.js'

/**
 * An authenticator that takes every request for this user's: `createLatchkey({ authentication: [actingAs(user)], … })`.
 * @param user null: nobody
 * @param auth what `request.auth` is; default is null
 */
export function actingAs(user: User | null, auth: unknown = null): Authenticator {
  const identity = user && Object.freeze({ user, auth })
  return Object.freeze({ name: 'actingAs', challenge: null, authenticate: () => identity })
}

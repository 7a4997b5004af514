/** What happened to logins and tokens, told to the app while it happens: Django's and knox's signals. A leaf. */
import type { User, UserId } from './identity.js'
import { handleRejection } from './thenable.js'

/** A token was given out at a login (knox, JWT, session; `obtainAuthToken` tells of none, as in DRF). */
export interface UserLoggedIn {
  readonly kind: 'user_logged_in'
  readonly user: User
  /** `jwt` for a pair or a sliding token, `session` for a session. */
  readonly policy: string
  /** Prefix and last four characters of the token; of JWTs the `jti`, which names their family. */
  readonly hint: string
  /** Where the request came from, as the throttles see it. */
  readonly address: string
}

/** A logout ended one token, or all that the user had of the policy. */
export interface UserLoggedOut {
  readonly kind: 'user_logged_out'
  readonly user: User
  readonly policy: string
  /** Of the token that ended; null: all of them did. */
  readonly hint: string | null
  readonly address: string
}

/** A password was wrong, or the user unknown or inactive: at any login endpoint and in Basic authentication. */
export interface UserLoginFailed {
  readonly kind: 'user_login_failed'
  /** As it was typed: anything, of any length. People type passwords here by mistake, so mind where it is written. */
  readonly username: string
  readonly address: string
}

/** An expired token was removed. Told once for each. */
export interface TokenExpired {
  readonly kind: 'token_expired'
  readonly userId: UserId
  readonly policy: string
  readonly hint: string
}

/**
 * A refresh token came again after it had been exchanged and the grace was over: a theft, or a client's bug. Its whole
 * family has ended. Told at every such use.
 */
export interface RefreshReused {
  readonly kind: 'refresh_reused'
  readonly userId: UserId
  /** The `jti` of the login that the token descends from. */
  readonly family: string
  /** Where it came from this time; null: not from an endpoint. */
  readonly address: string | null
}

/** All JWTs of a user ended: a logout everywhere, or a new password. */
export interface JwtsRevoked {
  readonly kind: 'jwts_revoked'
  readonly userId: UserId
}

/** Never holds a secret. */
export type LatchkeyEvent =
  | UserLoggedIn
  | UserLoggedOut
  | UserLoginFailed
  | TokenExpired
  | RefreshReused
  | JwtsRevoked

/** Tells an event. Never throws. */
export type EmitEvent = (event: LatchkeyEvent) => void

/**
 * Calls the app's listener while the request waits. What it throws, or rejects with, goes to `onTrouble`, and the
 * request goes on.
 */
export function eventEmitter(
  listener: ((event: LatchkeyEvent) => void) | undefined,
  onTrouble: (error: unknown, event: LatchkeyEvent) => void,
): EmitEvent {
  if (listener === undefined) return () => undefined
  return (event) => {
    try {
      // An async function is a listener too, and its rejection would end the process.
      const result: unknown = listener(event)
      handleRejection(result, (error) => onTrouble(error, event))
    } catch (error) {
      onTrouble(error, event)
    }
  }
}

/**
 * Username and password in, user out: the one place where a password is checked. Login endpoints and Basic
 * authentication call it; it counts guesses, does the same work for everybody, and upgrades old hashes.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import type { User } from '../identity.js'
import type { Passwords } from '../passwords/passwords.js'
import { type Rate, throttledError } from '../rates.js'
import type { CounterStore, UserSource } from '../stores/store.js'
import { toUser } from './user.js'

export interface LoginServiceOptions {
  readonly users: UserSource
  readonly passwords: Passwords
  readonly counters: CounterStore
  readonly clock: Clock
  /** Failed logins allowed per account and address; null: any number. */
  readonly rate: Rate | null
  readonly emit?: EmitEvent
}

export interface Credentials {
  readonly username: string
  readonly password: string
  /** Where the request came from, as the throttles see it. */
  readonly address: string
}

export interface LoginOptions {
  /** True: this starts something (a token is given out), so `lastLogin` is written. Default is false. */
  readonly updateLastLogin?: boolean
  /** False: guesses are not counted here. Default is true. */
  readonly throttle?: boolean
}

/** The token that a login gave out or a logout ended. */
export interface LoginToken<Hint = string | null> {
  readonly policy: string
  /** Null: all of the policy. */
  readonly hint: Hint
}

export class LoginService {
  readonly #options: LoginServiceOptions
  readonly #emit: EmitEvent

  constructor(options: LoginServiceOptions) {
    this.#options = options
    this.#emit = options.emit ?? (() => undefined)
  }

  /**
   * The active user with this username and password, or null. Unknown user, wrong password, unusable password and
   * inactive user cost the same hash work and give the same answer.
   *
   * A guess is counted right before its password is checked, atomically, and forgotten when it was right: parallel
   * logins with the right password never throttle each other, and no wave of parallel guesses gets in more than the
   * rate allows. Throws `throttled`, `busy` when too many wait for the hash queue, `store_unavailable`.
   */
  async login(credentials: Credentials, options: LoginOptions = {}): Promise<User | null> {
    const { users, passwords, counters, clock } = this.#options
    const { username, password, address } = credentials
    const rate = options.throttle === false ? null : this.#options.rate
    const key = counterKey(credentials)
    if (rate !== null) refuseOver(await counters.peek(key, rate, clock.nowMs()))
    const beforeCheck = async () => {
      if (rate !== null) refuseOver(await counters.hit(key, rate, clock.nowMs()))
    }

    const record = isStorable(username) ? await users.findByUsername(username) : null
    if (record === null) {
      await passwords.verifyDecoy(password, { beforeCheck })
      this.#emit({ kind: 'user_login_failed', username, address })
      return null
    }
    // Still in the slot: so there are never more right passwords counted at a time than the queue has slots.
    const afterMatch = async () => {
      if (rate !== null && record.isActive) await counters.clear(key)
    }
    const { ok, upgraded } = await passwords.verify(password, record.passwordHash, {
      beforeCheck,
      afterMatch,
    })
    if (!ok || !record.isActive) {
      this.#emit({ kind: 'user_login_failed', username, address })
      return null
    }

    const lastLogin = options.updateLastLogin ? new Date(clock.nowMs()) : undefined
    if (lastLogin !== undefined || upgraded !== undefined) {
      await users.recordLogin?.(record.id, {
        ...(lastLogin === undefined ? {} : { lastLogin }),
        ...(upgraded === undefined ? {} : { passwordHash: upgraded }),
      })
    }
    return toUser({ ...record, lastLogin: lastLogin ?? record.lastLogin })
  }

  /** After a login that gave out a token: writes `lastLogin` and tells `user_logged_in`. Throws `store_unavailable`. */
  async noteLogin(user: User, { policy, hint }: LoginToken<string>, address: string): Promise<void> {
    const lastLogin = new Date(this.#options.clock.nowMs())
    await this.#options.users.recordLogin?.(user.id, { lastLogin })
    this.#emit({ kind: 'user_logged_in', user: Object.freeze({ ...user, lastLogin }), policy, hint, address })
  }

  /** After a logout: tells `user_logged_out`. */
  noteLogout(user: User, { policy, hint }: LoginToken, address: string): void {
    this.#emit({ kind: 'user_logged_out', user, policy, hint, address })
  }
}

/** Hashed: usernames are of any length, and what was typed into a username field may be a password. */
function counterKey({ username, address }: Credentials): string {
  return `login:${hash('sha256', JSON.stringify([username, address]), 'base64url')}`
}

function refuseOver({ allowed, waitSeconds }: { allowed: boolean; waitSeconds: number }): void {
  if (!allowed) throw throttledError(waitSeconds)
}

/** NUL and lone surrogates are in no username, and some databases fail on them. */
function isStorable(username: string): boolean {
  return !username.includes('\u0000') && username.isWellFormed()
}

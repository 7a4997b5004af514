/**
 * Username and password in, user out: the one place where a password is checked. Login endpoints and Basic
 * authentication call it; it counts guesses, does the same work for everybody, and upgrades old hashes.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import { isSameUserId, type User } from '../identity.js'
import type { Passwords } from '../passwords/passwords.js'
import { type Rate, throttledError } from '../rates.js'
import type { AccessStore, CounterStore, LoginRecord, UserRecord, UserSource } from '../stores/store.js'
import { setLoginBasis } from './login-basis.js'
import { toUser } from './user.js'

export interface LoginServiceOptions {
  readonly users: UserSource
  readonly passwords: Passwords
  readonly counters: CounterStore
  /** Of the store that keeps what a login creates. */
  readonly access: AccessStore
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
   * inactive user cost the same hash work and give the same answer. So does a user whose access was narrowed while the
   * password was checked (a new password, deactivation, logout everywhere). The object that is returned remembers what it
   * is based on: `tokens.issue`, `sessions.start` and `jwts.issuePair` refuse it once access has been narrowed since.
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
    // Before the password is verified: what is narrowed from here on ends this login.
    const version = await this.#options.access.version(record.id)
    // Still in the slot: so there are never more right passwords counted at a time than the queue has slots.
    const afterMatch = async () => {
      if (rate !== null && record.isActive) await counters.clear(key)
    }
    const { ok, upgraded } = await passwords.verify(password, record.passwordHash, {
      beforeCheck,
      afterMatch,
    })
    const verified = ok && record.isActive ? await this.#lookAgain(record, version, password) : null
    if (verified === null) {
      this.#emit({ kind: 'user_login_failed', username, address })
      return null
    }

    const lastLogin = options.updateLastLogin ? new Date(clock.nowMs()) : undefined
    const change: LoginRecord = {
      ...(lastLogin === undefined ? {} : { lastLogin }),
      ...(upgraded === undefined ? {} : { passwordHash: upgraded, expectedHash: record.passwordHash }),
    }
    if (Object.keys(change).length > 0) await users.recordLogin?.(record.id, change)
    const user = toUser({ ...verified, lastLogin: lastLogin ?? verified.lastLogin })
    const { id: userId, passwordVersion } = verified
    setLoginBasis(user, this.#options.access, { userId, version, passwordVersion })
    return user
  }

  /**
   * The record as it is after the match, if the login still holds: the user is active, access was not narrowed, and the
   * password is the one that was verified. A hash that was only upgraded by another login keeps `passwordVersion`; a
   * source may not count its passwords, so another hash is verified, too.
   */
  async #lookAgain(before: UserRecord, version: number, password: string): Promise<UserRecord | null> {
    const { users, passwords, access } = this.#options
    const [record, latest] = await Promise.all([users.findById(before.id), access.version(before.id)])
    if (record === null || !record.isActive || latest !== version) return null
    if (!isSameUserId(record.id, before.id)) return null
    if (record.passwordVersion !== before.passwordVersion) return null
    if (record.passwordHash === before.passwordHash) return record
    return (await passwords.verify(password, record.passwordHash)).ok ? record : null
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

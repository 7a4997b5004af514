/**
 * Username and password in, user out: the one place where a password is checked. Login endpoints and Basic
 * authentication call it; it counts guesses, does the same work for everybody, and upgrades old hashes.
 */
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import { isSameUserId, type User, type UserId } from '../identity.js'
import type { PasswordCheck, Passwords } from '../passwords/passwords.js'
import type {
  AccessStore,
  CounterStore,
  LoginAddressStore,
  LoginRecord,
  UserRecord,
  UserSource,
} from '../stores/store.js'
import { KnownAddresses } from './known-addresses.js'
import { setLoginBasis } from './login-basis.js'
import { type CountedAttempt, LoginLimits, type LoginRates } from './login-limits.js'
import { toUser } from './user.js'

export interface LoginServiceOptions {
  readonly users: UserSource
  readonly passwords: Passwords
  readonly counters: CounterStore
  /** Of the store that keeps what a login creates. */
  readonly access: AccessStore
  readonly clock: Clock
  /** Failed logins that are allowed; null: any number. */
  readonly rates: LoginRates
  readonly loginAddresses: LoginAddressStore
  /** Keyed hashes of a text, one under each of the server's secrets, newest first. */
  readonly macs: (text: string) => readonly Uint8Array[]
  /** False: the source may find one user by several names, since it ignores case, width or accents. */
  readonly exactUsernames: boolean
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
  readonly #addresses: KnownAddresses
  readonly #limits: LoginLimits

  constructor(options: LoginServiceOptions) {
    const { counters, clock, rates, loginAddresses, macs, exactUsernames } = options
    this.#options = options
    this.#addresses = new KnownAddresses({ store: loginAddresses, clock, macs })
    this.#limits = new LoginLimits({
      rates,
      counters,
      clock,
      knownAddresses: this.#addresses,
      exactUsernames,
    })
    this.#emit = options.emit ?? (() => undefined)
  }

  /**
   * The active user with this username and password, or null. Unknown user, wrong password, unusable password and
   * inactive user cost the same hash work and the same operations of the counters, and give the same answer. So does a
   * user whose access was narrowed while the password was checked (a new password, deactivation, logout everywhere). The
   * object that is returned remembers what it is based on: `tokens.issue`, `sessions.start` and `jwts.issuePair` refuse it
   * once access has been narrowed since.
   *
   * A guess is counted right before its password is checked, atomically, and forgotten when it was right: parallel
   * logins with the right password never throttle each other, and no number of parallel guesses gets in more than the
   * rates allow. Throws `throttled`, `busy` when too many wait for the hash queue, `store_unavailable`, `internal_error`
   * for a record of the app's own users that is not complete.
   */
  async login(credentials: Credentials, options: LoginOptions = {}): Promise<User | null> {
    const { users, clock } = this.#options
    const { username, password, address } = credentials
    const record = await this.#find(username)
    // Before the password is verified: what is narrowed from here on ends this login. Unknown names cost the same.
    const version = await this.#options.access.version(record?.id ?? NO_USER)
    const attempt = options.throttle === false ? null : this.#limits.attempt({ username, address, record })
    await attempt?.peek()
    const { ok, upgraded } = await this.#check(password, record, attempt)
    const verified = ok && record !== null ? await this.#lookAgain(record, version, password) : null
    if (verified === null || record === null) {
      this.#emit({ kind: 'user_login_failed', username, address })
      return null
    }
    await this.#noteAddress(record.id, address)

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

  /** Removes what is too old of the addresses of logins; returns how many. Throws `store_unavailable`. */
  deleteExpiredAddresses(): Promise<number> {
    return this.#addresses.deleteExpired()
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

  async #find(username: string): Promise<UserRecord | null> {
    return isStorable(username) ? this.#options.users.findByUsername(username) : null
  }

  /** Counts the guess, checks it, and forgets it when it was right: all in one slot of the hash queue. */
  #check(
    password: string,
    record: UserRecord | null,
    attempt: CountedAttempt | null,
  ): Promise<PasswordCheck> {
    const { passwords, users } = this.#options
    // Still in the slot: so there are never more right passwords counted at a time than the queue has slots.
    const options = {
      beforeCheck: () => attempt?.count(),
      afterMatch: () => attempt?.forget(),
      refuse: record?.isActive === false,
      samples: () => users.samplePasswordHashes?.(),
    }
    return record === null
      ? passwords.verifyDecoy(password, options)
      : passwords.verify(password, record.passwordHash, options)
  }

  /** Where no limit per account can be exempted from, nothing is stored. */
  async #noteAddress(id: UserId, address: string): Promise<void> {
    if (this.#options.rates.account !== null) await this.#addresses.note(id, address)
  }
}

/** The id of no user. */
const NO_USER = 0

/** NUL and lone surrogates are in no username, and some databases fail on them. */
function isStorable(username: string): boolean {
  return !username.includes('\u0000') && username.isWellFormed()
}

/** A browser's cookie login: start, verify, end. Session authentication and login pages call it. */
import type { Clock } from '../clock.js'
import { randomHex } from '../crypto/random.js'
import { LatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import { ABOVE_0, checkOptions, HTTP_TOKEN, orNull, type Rules } from '../options.js'
import type { SessionRecord, Store, UserSource } from '../stores/store.js'
import { digestBytes, digestKey, MAX_SECRET_LENGTH } from '../tokens/token-digest.js'
import { TokenSecret } from '../tokens/token-secret.js'
import { loginBasisOf, staleLogin } from '../users/login-basis.js'
import { toUser } from '../users/user.js'

export interface SessionOptions {
  /** Default is Django's `sessionid`. */
  readonly cookieName?: string
  /** Default is 1,209,600 (two weeks), as in Django. */
  readonly ttlSeconds?: number
  /**
   * How long a session lasts without a request, in seconds; `ttlSeconds` stays its absolute end. A use moves the end when
   * that adds a tenth of this time or more, which bounds the writes. Default is null: only the absolute end, as in Django.
   */
  readonly idleTtlSeconds?: number | null
  /** Default is Django's `csrftoken`. */
  readonly csrfCookieName?: string
  /** Lower case. Default is Django's `x-csrftoken`. */
  readonly csrfHeaderName?: string
}

export interface SessionServiceOptions extends SessionOptions {
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
}

export interface StartedSession {
  /** The cookie's value. */
  readonly secret: TokenSecret
  readonly expiresAt: Date
}

const RULES: Rules<SessionOptions> = Object.freeze({
  cookieName: HTTP_TOKEN,
  ttlSeconds: ABOVE_0,
  idleTtlSeconds: orNull(ABOVE_0),
  csrfCookieName: HTTP_TOKEN,
  csrfHeaderName: HTTP_TOKEN,
})

export class SessionService {
  readonly cookieName: string
  readonly csrfCookieName: string
  readonly csrfHeaderName: string
  readonly ttlSeconds: number
  readonly #idleTtlSeconds: number | null
  readonly #store: Store
  readonly #users: UserSource
  readonly #clock: Clock

  constructor(options: SessionServiceOptions) {
    const { store, users, clock, ...settings } = options
    const own = checkOptions('createLatchkey', settings, RULES, 'sessions.')
    const { cookieName = 'sessionid', ttlSeconds = 1_209_600 } = own
    const { csrfCookieName = 'csrftoken', csrfHeaderName = 'x-csrftoken' } = own
    this.cookieName = cookieName
    this.csrfCookieName = csrfCookieName
    this.csrfHeaderName = csrfHeaderName.toLowerCase()
    this.ttlSeconds = ttlSeconds
    this.#idleTtlSeconds = own.idleTtlSeconds ?? null
    this.#store = store
    this.#users = users
    this.#clock = clock
  }

  /**
   * Starts a session for a user who has just proved who they are: always under a new secret (no fixation). `secret`
   * lets a migration keep the value of an existing cookie. Throws `not_found` for an unknown user, and
   * `authentication_failed` where `login.login()` returned the user and access was narrowed since that login began (a new
   * password, deactivation, logout everywhere).
   */
  async start(user: User, options: { readonly secret?: string } = {}): Promise<StartedSession> {
    const record = await this.#users.findById(user.id)
    if (record === null) throw new LatchkeyError('not_found')
    const secret = options.secret ?? randomHex(64)
    const nowMs = this.#clock.nowMs()
    const expiresAt = new Date(this.#endMs(nowMs, nowMs))
    const basis = loginBasisOf(user, this.#store.access)
    const session: SessionRecord = {
      digest: digestBytes(digestKey(secret)),
      userId: record.id,
      // Of the password that was verified, which need not be the present one.
      passwordVersion: basis?.passwordVersion ?? record.passwordVersion,
      createdAt: new Date(nowMs),
      expiresAt,
    }
    if ((await this.#store.sessions.insert(session, basis)) === false) throw staleLogin()
    return { secret: new TokenSecret(secret), expiresAt }
  }

  /**
   * The active user of a live session, or null: unknown, expired, ended by a password change, inactive. With `idleTtlSeconds`
   * a use moves its end. Throws `store_unavailable`.
   */
  async verify(secret: string): Promise<User | null> {
    if (secret === '' || secret.length > MAX_SECRET_LENGTH) return null
    const found = await this.#store.sessions.findByDigest(digestBytes(digestKey(secret)))
    if (found === null || found.session.expiresAt.getTime() <= this.#clock.nowMs()) return null
    const user =
      this.#users === this.#store.users ? found.user : await this.#users.findById(found.session.userId)
    if (user === null || !user.isActive || user.passwordVersion !== found.session.passwordVersion) return null
    return (await this.#keepAlive(found.session)) ? toUser(user) : null
  }

  /** When a session ends that began and was last used at these moments, in milliseconds. */
  #endMs(createdAtMs: number, usedAtMs: number): number {
    const absoluteMs = createdAtMs + this.ttlSeconds * 1000
    const idleMs = this.#idleTtlSeconds === null ? Number.POSITIVE_INFINITY : this.#idleTtlSeconds * 1000
    return Math.min(absoluteMs, usedAtMs + idleMs)
  }

  /** Moves the end of a session that is used. False: it was ended meanwhile. */
  async #keepAlive({ digest, createdAt, expiresAt }: SessionRecord): Promise<boolean> {
    if (this.#idleTtlSeconds === null) return true
    const nowMs = this.#clock.nowMs()
    const endMs = this.#endMs(createdAt.getTime(), nowMs)
    if (endMs - expiresAt.getTime() < this.#idleTtlSeconds * 100) return true
    if (await this.#store.sessions.renew(digest, expiresAt, new Date(endMs))) return true
    // Another request has moved it, or a logout has ended it.
    const latest = await this.#store.sessions.findByDigest(digest)
    return latest !== null && latest.session.expiresAt.getTime() > nowMs
  }

  /** Ends a session: its cookie is worth nothing from the moment this resolves. False when there was none. */
  end(secret: string): Promise<boolean> {
    return this.#store.sessions.delete(digestBytes(digestKey(secret)))
  }

  /** Removes sessions that ended by themselves; returns how many. */
  deleteExpired(): Promise<number> {
    return this.#store.sessions.deleteExpired(new Date(this.#clock.nowMs()))
  }
}

/** The claims of JWTs: what is issued, copied and renewed, and what they say of token and user. The JWT service signs them. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.js'
import type { User, UserId } from '../identity.js'
import { trimPython } from '../python-text.js'
import type { NewJwtRecord } from '../stores/store.js'
import { LAST_SECOND, numericDate } from './claims.js'
import type { JsonObject } from './json-object.js'
import type { CompleteJwtOptions, JwtType } from './jwt-options.js'

/** A verified token's claims: DRF's `request.auth` behind the JWT authenticator. */
export type JwtClaims = JsonObject

export class JwtPayloads {
  readonly #options: CompleteJwtOptions
  readonly #clock: Clock
  /** Users live in the store, whose ids are numbers. */
  readonly #areOwnUsers: boolean

  constructor(options: CompleteJwtOptions, clock: Clock, areOwnUsers: boolean) {
    this.#options = options
    this.#clock = clock
    this.#areOwnUsers = areOwnUsers
  }

  /** What a login of this user issues. `more`: claims that cannot replace these. */
  newPayload(type: JwtType, user: User, more: JwtClaims = {}): JwtClaims {
    const { userIdClaim, jtiClaim, slidingRefreshExpClaim } = this.#options
    const { refreshTtlSeconds, refreshAbsoluteTtlSeconds } = this.#options
    const { slidingTtlSeconds, slidingRefreshTtlSeconds } = this.#options
    const now = this.#nowSeconds()
    const longest = Math.min(refreshTtlSeconds, refreshAbsoluteTtlSeconds ?? refreshTtlSeconds)
    const own = {
      ...this.#typeClaim(type),
      exp: Math.floor(now + (type === 'sliding' ? slidingTtlSeconds : longest)),
      iat: now,
      [jtiClaim]: newJti(),
      ...(type === 'sliding' ? { [slidingRefreshExpClaim]: Math.floor(now + slidingRefreshTtlSeconds) } : {}),
      // RFC 7519, 4.1.2: `sub` is a text, and readers refuse any other. Of an app's own users the id is what it is: read as a
      // text it would be another.
      [userIdClaim]: userIdClaim === 'sub' && this.#areOwnUsers ? String(user.id) : user.id,
    }
    return { ...own, ...more, ...own }
  }

  /** `RefreshToken.access_token`: every claim but the type, the id and the expiry is copied. */
  accessFrom(refresh: JwtClaims): JwtClaims {
    const { jtiClaim, accessTtlSeconds } = this.#options
    const now = this.#nowSeconds()
    const own = {
      ...this.#typeClaim('access'),
      exp: Math.floor(now + accessTtlSeconds),
      iat: now,
      [jtiClaim]: newJti(),
    }
    return { ...own, ...refresh, ...own, ...(Object.hasOwn(refresh, 'iat') ? { iat: refresh.iat } : {}) }
  }

  /** The same claims with a new life. */
  renewed(payload: JwtClaims, changes: JwtClaims, from: Date, ttlSeconds: number): JwtClaims {
    const iat = Math.floor(from.getTime() / 1000)
    return { ...payload, ...changes, exp: Math.floor(iat + ttlSeconds), iat }
  }

  /**
   * When the login was that a refresh token descends from: what the store knows of its family (null: nothing), or the
   * `auth_time` that the token says itself (OpenID Connect Core, 2), or its `iat`; the earliest counts. Undefined: nothing
   * says it.
   */
  familyStartOf(refresh: JwtClaims, known: Date | null): Date | undefined {
    const claimed = ['iat', 'auth_time'].map((claim) =>
      Object.hasOwn(refresh, claim) ? numericDate(refresh[claim]) : undefined,
    )
    const seconds = [...claimed, known === null ? undefined : known.getTime() / 1000]
    const start = Math.min(...seconds.filter((second) => second !== undefined))
    return Number.isFinite(start) ? new Date(start * 1000) : undefined
  }

  /** Whether that login is too long ago. */
  hasFamilyEnded(start: Date | undefined): boolean {
    return this.#familyEnd(start) <= this.#clock.nowMs() / 1000 - this.#options.leewaySeconds
  }

  /** A token of a family does not outlive it. */
  withinFamily(payload: JwtClaims, start: Date | undefined): JwtClaims {
    return { ...payload, exp: Math.floor(Math.min(secondsOf(payload.exp), this.#familyEnd(start))) }
  }

  #familyEnd(start: Date | undefined): number {
    const { refreshAbsoluteTtlSeconds } = this.#options
    if (refreshAbsoluteTtlSeconds === null || start === undefined) return Number.POSITIVE_INFINITY
    return start.getTime() / 1000 + refreshAbsoluteTtlSeconds
  }

  #typeClaim(type: JwtType): JwtClaims {
    const { tokenTypeClaim } = this.#options
    return tokenTypeClaim === null ? {} : { [tokenTypeClaim]: type }
  }

  /**
   * What the store keeps of a token, for as long as it, or a sliding token that it is refreshed to, can be accepted: the
   * last refresh is just before `refresh_exp`.
   *
   * @param userId as the store of users names the user; default: as the claim does
   */
  recordOf(payload: JwtClaims, userId?: UserId): NewJwtRecord {
    const jti = this.jtiOf(payload)
    const { slidingRefreshExpClaim, slidingTtlSeconds } = this.#options
    const lastRefresh = secondsOf(payload[slidingRefreshExpClaim])
    const lastSecond = Math.max(
      secondsOf(payload.exp),
      lastRefresh === 0 ? 0 : Math.min(LAST_SECOND, Math.ceil(lastRefresh + slidingTtlSeconds)),
    )
    return {
      jti,
      family: jti,
      userId: userId ?? this.userIdsOf(payload)[0] ?? '',
      issuedAt: new Date(secondsOf(payload.iat) * 1000),
      expiresAt: new Date(lastSecond * 1000),
    }
  }

  /**
   * What the store must know of a new access token: nothing, unless everything of the user was revoked in the second of
   * its `iat`, which has no fractions: it would be taken for one from before.
   */
  accessRecords(access: JwtClaims, notBefore: Date | null, userId?: UserId): NewJwtRecord[] {
    const isSameSecond = notBefore !== null && secondsOf(access.iat) * 1000 <= notBefore.getTime()
    return isSameSecond ? [this.recordOf(access, userId)] : []
  }

  /** Ids that are no text (null and numbers pass in simplejwt) are known by their JSON. */
  jtiOf(payload: JwtClaims): string {
    const jti = payload[this.#options.jtiClaim]
    return typeof jti === 'string' ? jti : JSON.stringify(jti)
  }

  /**
   * The claim as an id. For the store's own users as Python's `int()` reads it: `1`, `1.9` and `"1"` are 1; for an
   * app's own table as it is. Null for what cannot be one.
   */
  userIdOf(payload: JwtClaims): UserId | null {
    const claim = payload[this.#options.userIdClaim]
    if (typeof claim !== 'number' && typeof claim !== 'string') return null
    if (!this.#areOwnUsers) return claim
    if (typeof claim === 'number') return Math.trunc(claim)
    const digits = trimPython(claim)
    return /^[+-]?\d{1,15}$/.test(digits) ? Number(digits) : null
  }

  /**
   * Every id that a revocation may name the user by. Who has the issuer's store but not its users cannot tell whether a
   * text is the id of a row or, as it is, that of an app's own table.
   */
  userIdsOf(payload: JwtClaims): readonly UserId[] {
    const claim = payload[this.#options.userIdClaim]
    const id = this.userIdOf(payload)
    if (typeof claim !== 'string' || claim === id) return id === null ? [] : [id]
    return id === null ? [claim] : [id, claim]
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock.nowMs() / 1000)
  }
}

/** As `uuid4().hex` in length: 32 hex digits. */
export function newJti(): string {
  return randomBytes(16).toString('hex')
}

/** A claim as whole seconds; 0 for what is no time. */
export function secondsOf(claim: unknown): number {
  return Math.floor(numericDate(claim) ?? 0)
}

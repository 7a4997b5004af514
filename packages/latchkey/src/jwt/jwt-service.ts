/**
 * Issue, verify, refresh and revoke JWTs: every rule of simplejwt, and what it lacks. Endpoints and the JWT
 * authenticator call it; signatures are `jws.ts`, claims `claims.ts`, what was revoked the store.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import type { Identity, User, UserId } from '../identity.js'
import type { Store, UserSource } from '../stores/store.js'
import { toUser } from '../users/user.js'
import {
  type ClaimFault,
  checkClaims,
  checkExpiry,
  checkJti,
  checkTokenType,
  claimMessage,
} from './claims.js'
import { JwsError, signJws, verifyJws } from './jws.js'
import { JwtCache } from './jwt-cache.js'
import { type CompleteJwtOptions, completeJwtOptions, type JwtOptions, type JwtType } from './jwt-options.js'
import { type JwtClaims, JwtPayloads, newJti, secondsOf } from './jwt-payloads.js'

export interface JwtServiceOptions extends JwtOptions {
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
  /** Verified tokens kept in memory; 0 switches the cache off. */
  readonly cacheEntries: number
}

/** A pair as simplejwt's login answers it. */
export interface JwtPair {
  readonly refresh: string
  readonly access: string
}

export class JwtService {
  readonly options: CompleteJwtOptions
  readonly #store: Store
  readonly #users: UserSource
  readonly #clock: Clock
  readonly #cache: JwtCache
  readonly #payloads: JwtPayloads

  /** @throws TypeError `jwt.<option>: …` */
  constructor({ store, users, clock, cacheEntries, ...options }: JwtServiceOptions) {
    this.options = completeJwtOptions(options)
    this.#store = store
    this.#users = users
    this.#clock = clock
    this.#cache = new JwtCache(cacheEntries)
    this.#payloads = new JwtPayloads(this.options, clock, users === store.users)
    store.changes.subscribe((change) => this.#cache.apply(change))
  }

  /** An access and a refresh token for a user who has just proved who they are: `RefreshToken.for_user(user)`. */
  async issuePair(user: User): Promise<JwtPair> {
    const refresh = this.#payloads.newPayload('refresh', user)
    const access = this.#payloads.accessFrom(refresh)
    await this.#note(user, [refresh], access)
    return { refresh: this.#sign(refresh), access: this.#sign(access) }
  }

  /** A sliding token: `SlidingToken.for_user(user)`. */
  async issueSliding(user: User): Promise<string> {
    const sliding = this.#payloads.newPayload('sliding', user)
    await this.#note(user, [sliding])
    return this.#sign(sliding)
  }

  /**
   * A new access token for a refresh token; with `rotateRefresh` a new refresh token too. With
   * `blacklistAfterRotation` the presented one ends: one of any number of concurrent callers decides the successor,
   * those within `refreshGraceSeconds` get the same one, and a later one ends the family.
   * Throws `authentication_failed` in simplejwt's words.
   */
  async refresh(token: string): Promise<{ readonly access: string; readonly refresh?: string }> {
    const { rotateRefresh, blacklistAfterRotation, refreshTtlSeconds, refreshGraceSeconds, jtiClaim } =
      this.options
    // An exchanged token is judged by `rotate`: within the grace it is as good as its successor.
    const presented = await this.#verifyType(token, 'refresh', { mayHaveEnded: blacklistAfterRotation })
    const access = this.#sign(this.#payloads.accessFrom(presented))
    if (!rotateRefresh) return { access }
    const now = new Date(this.#clock.nowMs())
    const successor = this.#payloads.renewed(presented, { [jtiClaim]: newJti() }, now, refreshTtlSeconds)
    if (!blacklistAfterRotation) {
      await this.#store.jwts.insert([this.#payloads.recordOf(successor)])
      return { access, refresh: this.#sign(successor) }
    }
    const { family: _, ...record } = this.#payloads.recordOf(successor)
    const outcome = await this.#store.jwts.rotate({
      presented: this.#payloads.recordOf(presented),
      successor: record,
      now,
      graceSeconds: refreshGraceSeconds,
    })
    if (outcome.kind === 'rotated') return { access, refresh: this.#sign(successor) }
    if (outcome.kind !== 'repeated') throw refused('blacklisted')
    const same = this.#payloads.renewed(
      presented,
      { [jtiClaim]: outcome.successorJti },
      outcome.issuedAt,
      refreshTtlSeconds,
    )
    return { access, refresh: this.#sign(same) }
  }

  /** A sliding token with a new `exp`, as long as its `refresh_exp` lies ahead. Throws as `refresh`. */
  async refreshSliding(token: string): Promise<string> {
    const { slidingRefreshExpClaim, slidingTtlSeconds } = this.options
    const presented = await this.#verifyType(token, 'sliding')
    const fault = checkExpiry(presented, slidingRefreshExpClaim, this.#times())
    if (fault !== undefined) throw refused(fault, slidingRefreshExpClaim)
    return this.#sign(this.#payloads.renewed(presented, {}, new Date(this.#clock.nowMs()), slidingTtlSeconds))
  }

  /** Claims of a token of any type that is good: simplejwt's verify endpoint. Throws as `refresh`. */
  async verify(token: string): Promise<JwtClaims> {
    const payload = this.#decode(token)
    await this.#requireLive(payload)
    this.#requireClaims(payload)
    return payload
  }

  /** Ends a refresh token: it is refused from the moment this resolves. Throws as `refresh`, also the second time. */
  async blacklist(token: string): Promise<void> {
    const payload = await this.#verifyType(token, 'refresh')
    const ended = await this.#store.jwts.revoke(
      this.#payloads.recordOf(payload),
      new Date(this.#clock.nowMs()),
    )
    if (!ended) throw refused('blacklisted')
  }

  /** Ends any token by its claims, an access token as well: it is refused from the moment this resolves. */
  async revoke(claims: JwtClaims): Promise<boolean> {
    return this.#store.jwts.revoke(this.#payloads.recordOf(claims), new Date(this.#clock.nowMs()))
  }

  /** Ends everything of a user that was issued until now: logout everywhere. */
  async revokeUser(user: User | UserId): Promise<void> {
    await this.#store.jwts.revokeUser(
      typeof user === 'object' ? user.id : user,
      new Date(this.#clock.nowMs()),
    )
  }

  /** Removes what is remembered of expired tokens: simplejwt's `flushexpiredtokens`. Returns how many. */
  deleteExpired(): Promise<number> {
    return this.#store.jwts.deleteExpired(new Date(this.#clock.nowMs()))
  }

  /**
   * Whose token this is. Hot: one hash, one map look-up, and the expiry, synchronously. Cold: the signature, what was
   * revoked and the user, in two statements.
   * @param types token types that are accepted; the first that fits counts
   */
  authenticate(token: string, types: readonly JwtType[]): Identity<JwtClaims> | Promise<Identity<JwtClaims>> {
    this.#store.changes.catchUp()
    const key = hash('sha256', `${types.join()} ${token}`, 'base64')
    const cached = this.#cache.get(key, this.#times())
    return cached ?? this.#authenticateCold(token, types, key)
  }

  /** Drops what memory holds about a user whose record lives elsewhere and has changed. */
  forgetUser(userId: UserId): void {
    this.#cache.apply({ kind: 'user', userId })
  }

  async #authenticateCold(
    token: string,
    types: readonly JwtType[],
    key: string,
  ): Promise<Identity<JwtClaims>> {
    const epoch = this.#cache.epoch
    const claims = await this.#firstThatFits(token, types)
    const { userIdClaim } = this.options
    if (!Object.hasOwn(claims, userIdClaim)) {
      throw failed('Token contained no recognizable user identification', 'token_not_valid')
    }
    const userId = this.#payloads.userIdOf(claims)
    const record = userId === null ? null : await this.#users.findById(userId)
    if (record === null) throw failed('User not found', 'user_not_found')
    if (!record.isActive) throw failed('User is inactive', 'user_inactive')
    const identity = Object.freeze({ user: toUser(record), auth: claims })
    this.#cache.set(
      key,
      identity,
      { userId: record.id, jti: this.#payloads.jtiOf(claims), exp: Number(claims.exp) },
      epoch,
    )
    return identity
  }

  /** simplejwt's AUTH_TOKEN_CLASSES: each type is tried, and the refusal names what each of them said. */
  async #firstThatFits(token: string, types: readonly JwtType[]): Promise<JwtClaims> {
    const messages: object[] = []
    for (const type of types) {
      try {
        return await this.#verifyType(token, type)
      } catch (error) {
        if (!(error instanceof LatchkeyError) || error.code !== 'authentication_failed') throw error
        messages.push({ token_class: TOKEN_CLASSES[type], token_type: type, message: error.publicMessage })
      }
    }
    throw failed('Given token not valid for any token type', 'token_not_valid', { messages })
  }

  async #verifyType(token: string, type: JwtType, { mayHaveEnded = false } = {}): Promise<JwtClaims> {
    const payload = this.#decode(token)
    await this.#requireLive(payload, mayHaveEnded)
    this.#requireClaims(payload)
    const fault = checkTokenType(payload, this.options.tokenTypeClaim, type)
    if (fault !== undefined) throw refused(fault)
    return payload
  }

  #decode(token: string): JwtClaims {
    const { signingKey, verifyingKeys, audience, issuer } = this.options
    try {
      const { payload } = verifyJws(token, [signingKey, ...verifyingKeys])
      const result = checkClaims(payload, {
        ...this.#times(),
        audience: audience ?? undefined,
        issuer: issuer ?? undefined,
      })
      if (result !== 'ok') throw refused(result)
      return payload
    } catch (error) {
      throw error instanceof JwsError ? refused('invalid') : error
    }
  }

  /** A token without an id cannot have been revoked, and is refused for that next. */
  async #requireLive(payload: JwtClaims, mayHaveEnded = false): Promise<void> {
    const { jtiClaim } = this.options
    if (!Object.hasOwn(payload, jtiClaim)) return
    const { known, notBefore } = await this.#store.jwts.state(
      this.#payloads.jtiOf(payload),
      this.#payloads.userIdOf(payload) ?? '',
    )
    if (known === 'ended' && !mayHaveEnded) throw refused('blacklisted')
    if (known === null && notBefore !== null && secondsOf(payload.iat) * 1000 <= notBefore.getTime()) {
      throw refused('blacklisted')
    }
  }

  #requireClaims(payload: JwtClaims): void {
    const fault = checkExpiry(payload, 'exp', this.#times()) ?? checkJti(payload, this.options.jtiClaim)
    if (fault !== undefined) throw refused(fault)
  }

  /** `aud` and `iss` are put in last, as PyJWT's backend does. */
  #sign(payload: JwtClaims): string {
    const { audience, issuer, signingKey } = this.options
    const signed = {
      ...payload,
      ...(audience === null ? {} : { aud: audience }),
      ...(issuer === null ? {} : { iss: issuer }),
    }
    return signJws(signed, signingKey)
  }

  /**
   * Records what was issued. An access token is recorded only when everything of the user was revoked in this very
   * second: `iat` has no fractions, and would be taken for one from before.
   */
  async #note(user: User, payloads: readonly JwtClaims[], access?: JwtClaims): Promise<void> {
    const records = payloads.map((payload) => this.#payloads.recordOf(payload))
    if (access !== undefined) {
      const { notBefore } = await this.#store.jwts.state('', user.id)
      const isSameSecond = notBefore !== null && secondsOf(access.iat) * 1000 <= notBefore.getTime()
      if (isSameSecond) records.push(this.#payloads.recordOf(access))
    }
    await this.#store.jwts.insert(records)
  }

  #times() {
    return { nowSeconds: this.#clock.nowMs() / 1000, leewaySeconds: this.options.leewaySeconds }
  }
}

/** The JWT service of a Latchkey that has one. Throws a TypeError that says what is missing. */
export function requireJwts(jwts: JwtService | null): JwtService {
  if (jwts === null) throw new TypeError('jwt: createLatchkey({ jwt: { signingKey } }) is missing')
  return jwts
}

/** simplejwt's class names, which its refusals show. */
const TOKEN_CLASSES: Readonly<Record<JwtType, string>> = Object.freeze({
  access: 'AccessToken',
  refresh: 'RefreshToken',
  sliding: 'SlidingToken',
})

/** simplejwt's `InvalidToken`. */
function refused(fault: ClaimFault, claim?: string): LatchkeyError {
  return failed(claimMessage(fault, claim), 'token_not_valid')
}

function failed(message: string, code: string, more: Readonly<Record<string, unknown>> = {}): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message, extra: { code, ...more } })
}

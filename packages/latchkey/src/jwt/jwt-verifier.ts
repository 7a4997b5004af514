/**
 * Whether a JWT is good and whose it is: simplejwt's checks in its order, and the hot path of every request. A part of
 * the JWT service, which hands it its store, claims and cache size.
 */
import { hash } from 'node:crypto'
import { isBranded, JWS_ERROR_BRAND } from '../brand.js'
import type { Clock } from '../clock.js'
import { isLatchkeyError, type LatchkeyError } from '../errors.js'
import {
  CheckedIdentity,
  type Identity,
  isSameUserId,
  isUserId,
  type User,
  type UserId,
} from '../identity.js'
import { BOOLEAN, checkAnswer } from '../options.js'
import type { AccessBasis, JwtState, Store, UserRecord, UserSource } from '../stores/store.js'
import { isThenable } from '../thenable.js'
import { toUser } from '../users/user.js'
import { checkClaims, checkExpiry, checkJti, checkTokenType, claimMessage } from './claims.js'
import { frozen } from './json-object.js'
import type { VerifiedJws } from './jws.js'
import { JwtCache } from './jwt-cache.js'
import type { JwtKeys } from './jwt-keys.js'
import type { CompleteJwtOptions, JwtType } from './jwt-options.js'
import { type JwtClaims, type JwtPayloads, secondsOf } from './jwt-payloads.js'
import {
  namesNobody,
  noActiveAccount,
  refused,
  refusedByAll,
  userInactive,
  userNotFound,
} from './jwt-refusals.js'
import { tokenUser } from './token-user.js'

export interface JwtVerifierOptions {
  readonly options: CompleteJwtOptions
  readonly keys: JwtKeys
  readonly payloads: JwtPayloads
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
  readonly cacheEntries: number
}

/** Where the user of a token comes from: `stored` is looked up, `claimed` is believed. */
export type JwtUserOrigin = 'stored' | 'claimed'

/** A token that is good, and since when tokens of its user count. */
export interface VerifiedJwt extends Pick<JwtState, 'notBefore'> {
  readonly claims: JwtClaims
  /** True: it was revoked or exchanged, and the caller asked to be told so. */
  readonly hasEnded: boolean
}

/** A token that is about to be renewed, and its user. */
export interface RenewableJwt extends VerifiedJwt {
  /** The user as their store has them; null: the token names nobody, or nobody who exists. */
  readonly record: UserRecord | null
  /** Taken before anything was read that the renewal is based on. Undefined: the token names nobody. */
  readonly basis: AccessBasis | undefined
}

export class JwtVerifier {
  readonly #options: CompleteJwtOptions
  readonly #keys: JwtKeys
  readonly #payloads: JwtPayloads
  readonly #store: Store
  readonly #users: UserSource
  readonly #clock: Clock
  readonly #cache: JwtCache | null
  /** Whose ids are numbers, each in one spelling. */
  readonly #areOwnUsers: boolean

  constructor({ options, keys, payloads, store, users, clock, cacheEntries }: JwtVerifierOptions) {
    this.#options = options
    this.#keys = keys
    this.#payloads = payloads
    this.#store = store
    this.#users = users
    this.#areOwnUsers = users === store.users
    this.#clock = clock
    this.#cache = cacheEntries === 0 ? null : new JwtCache(cacheEntries)
    store.changes.subscribe((change) => this.#cache?.apply(change))
  }

  /** See `JwtService.verify`. `mayHaveEnded`: whether it was revoked is for the caller to find out. */
  async verify(token: string, { mayHaveEnded = false } = {}): Promise<VerifiedJwt> {
    const claims = await this.#decode(token)
    const verified = await this.#judge(claims, mayHaveEnded)
    // Who is revoked by the id of a record is revoked for every spelling that finds the record.
    const record = this.#areOwnUsers ? null : await this.#findUser(claims)
    if (record !== null) await this.#requireNotRevoked(claims, record.id, mayHaveEnded)
    return verified
  }

  /** As `verify`, and of this type. */
  async verifyType(
    token: string,
    type: JwtType,
    how: { readonly mayHaveEnded?: boolean } = {},
  ): Promise<VerifiedJwt> {
    const verified = await this.verify(token, how)
    const fault = checkTokenType(verified.claims, this.#options.tokenTypeClaim, type)
    if (fault !== undefined) throw refused(fault)
    return verified
  }

  /**
   * As `verifyType`, for a token that is about to be renewed: with its user, by whose id in their store everything else is
   * decided, and the access version from before all of it. Whether that user may log in `requireUser` says.
   */
  async verifyRenewable(token: string, type: JwtType, { mayHaveEnded = false } = {}): Promise<RenewableJwt> {
    const claims = await this.#decode(token)
    const claimed = this.#payloads.userIdOf(claims)
    const basis = claimed === null ? undefined : await this.#basisOf(claimed)
    const verified = await this.#judge(claims, mayHaveEnded)
    const fault = checkTokenType(claims, this.#options.tokenTypeClaim, type)
    if (fault !== undefined) throw refused(fault)
    const record = await this.#findUser(claims)
    if (record === null || claimed === null || isSameUserId(record.id, claimed))
      return { ...verified, record, basis }
    const ownBasis = await this.#basisOf(record.id)
    const notBefore = await this.#requireNotRevoked(claims, record.id, mayHaveEnded)
    return { ...verified, notBefore, record: await this.#users.findById(record.id), basis: ownBasis }
  }

  /**
   * The user of a token that is about to be renewed must still be one who may log in. A token that names nobody passes,
   * as in simplejwt: what it is renewed to is refused where it is used.
   */
  async requireUser({ claims, record }: RenewableJwt): Promise<void> {
    if (!Object.hasOwn(claims, this.#options.userIdClaim)) return
    if (record === null || !(await this.mayLogIn(toUser(record)))) throw noActiveAccount('token')
  }

  async #basisOf(userId: UserId): Promise<AccessBasis> {
    return { userId, version: await this.#store.access.version(userId) }
  }

  async #judge(claims: JwtClaims, mayHaveEnded: boolean): Promise<VerifiedJwt> {
    const state = await this.#stateOf(claims)
    this.#requireGood(claims, state, mayHaveEnded)
    return { claims, notBefore: state.notBefore, hasEnded: state.known === 'ended' }
  }

  /**
   * What was revoked under the id of the record that a token leads to, where the claim spells it otherwise (a source that
   * ignores case, `"042"`). That the token is known to be live says nothing then: it was noted under the claim's spelling.
   */
  async #requireNotRevoked(claims: JwtClaims, recordId: UserId, mayHaveEnded = false): Promise<Date | null> {
    const isSpeltSo = this.#payloads.userIdsOf(claims).some((id) => isSameUserId(id, recordId))
    if (isSpeltSo || !Object.hasOwn(claims, this.#options.jtiClaim)) return null
    const { known, notBefore } = await this.#store.jwts.state(this.#payloads.jtiOf(claims), recordId)
    this.#requireGood(claims, { known: known === 'ended' ? known : null, notBefore }, mayHaveEnded)
    return notBefore
  }

  /** simplejwt's USER_AUTHENTICATION_RULE, and being active in any case. */
  async mayLogIn(user: User): Promise<boolean> {
    const { userAuthenticationRule: rule } = this.#options
    if (!user.isActive) return false
    if (rule === undefined) return true
    const allowed = await rule(user)
    checkAnswer('jwt.userAuthenticationRule()', allowed, BOOLEAN)
    return allowed
  }

  /** `refresh_exp` of a sliding token must lie ahead. */
  requireRefreshable(payload: JwtClaims): void {
    const { slidingRefreshExpClaim } = this.#options
    const fault = checkExpiry(payload, slidingRefreshExpClaim, this.#times())
    if (fault !== undefined) throw refused(fault, slidingRefreshExpClaim)
  }

  /** See `JwtService.authenticate`. */
  authenticate(
    token: string,
    types: readonly JwtType[],
    origin: JwtUserOrigin,
  ): Identity<JwtClaims> | Promise<Identity<JwtClaims>> {
    const hasNewEnd = this.#keys.catchUp()
    if (this.#cache === null) return this.#authenticateCold(token, types, origin, '')
    if (hasNewEnd) this.#cache.apply({ kind: 'keys' })
    const key = hash('sha256', `${origin} ${types.join()} ${token}`, 'base64')
    const cached = this.#cache.get(key, this.#times())
    return cached ?? this.#authenticateCold(token, types, origin, key)
  }

  forgetUser(userId: UserId): void {
    this.#cache?.apply({ kind: 'user', userId })
  }

  async #authenticateCold(
    token: string,
    types: readonly JwtType[],
    origin: JwtUserOrigin,
    key: string,
  ): Promise<Identity<JwtClaims>> {
    const epoch = this.#cache?.epoch ?? 0
    let claims: JwtClaims | undefined
    try {
      claims = await this.#decode(token)
      this.#requireGood(claims, await this.#stateOf(claims), false)
    } catch (error) {
      if (!isLatchkeyError(error, 'authentication_failed')) throw error
      throw refusedByAll(types.map((type) => [type, this.#saidBy(type, error, claims)] as const))
    }
    this.#requireOneOf(types, claims)
    const user = origin === 'stored' ? await this.#storedUser(claims) : this.#claimedUser(claims)
    if (origin === 'stored' && !this.#areOwnUsers) await this.#requireOwnerGood(types, claims, user.id)
    // One object for all requests with this token.
    const identity = new CheckedIdentity(user, frozen(claims))
    if (this.#cache !== null) {
      const userIds = [user.id, ...this.#payloads.userIdsOf(claims)]
      const names = { userIds, jti: this.#payloads.jtiOf(claims) }
      this.#cache.set(key, identity, Number(claims.exp), names, epoch)
    }
    return identity
  }

  async #requireOwnerGood(types: readonly JwtType[], claims: JwtClaims, recordId: UserId): Promise<void> {
    try {
      await this.#requireNotRevoked(claims, recordId)
    } catch (error) {
      if (!isLatchkeyError(error, 'authentication_failed')) throw error
      throw refusedByAll(types.map((type) => [type, this.#saidBy(type, error, claims)] as const))
    }
  }

  /**
   * What has nothing to do with the type is what each type says. But simplejwt's access tokens know no blacklist, and
   * find fault with the type of what is on it.
   */
  #saidBy(type: JwtType, error: LatchkeyError, claims: JwtClaims | undefined): LatchkeyError {
    if (type !== 'access' || claims === undefined || error.publicMessage !== claimMessage('blacklisted'))
      return error
    const fault = checkTokenType(claims, this.#options.tokenTypeClaim, type)
    return fault === undefined ? error : refused(fault)
  }

  /** simplejwt's AUTH_TOKEN_CLASSES: the refusal tells what each of them said. */
  #requireOneOf(types: readonly JwtType[], claims: JwtClaims): void {
    const tries: Array<readonly [JwtType, LatchkeyError]> = []
    for (const type of types) {
      const fault = checkTokenType(claims, this.#options.tokenTypeClaim, type)
      if (fault === undefined) return
      tries.push([type, refused(fault)])
    }
    throw refusedByAll(tries)
  }

  async #storedUser(claims: JwtClaims): Promise<User> {
    if (!Object.hasOwn(claims, this.#options.userIdClaim)) throw namesNobody()
    const record = await this.#findUser(claims)
    if (record === null) throw userNotFound()
    if (!record.isActive) throw userInactive()
    return toUser(record)
  }

  #claimedUser(claims: JwtClaims): User {
    const { userIdClaim, tokenUser: more } = this.#options
    const claim = Object.hasOwn(claims, userIdClaim) ? claims[userIdClaim] : undefined
    const id = this.#payloads.userIdOf(claims) ?? claim
    if (!isUserId(id)) throw namesNobody()
    return tokenUser(id, claims, more)
  }

  #findUser(claims: JwtClaims): Promise<UserRecord | null> {
    const userId = this.#payloads.userIdOf(claims)
    return userId === null ? Promise.resolve(null) : this.#users.findById(userId)
  }

  /** What the keys of this moment signed, and its times, issuer and audience. A promise only where a key is fetched. */
  #decode(token: string): JwtClaims | Promise<JwtClaims> {
    try {
      const verified = this.#keys.verify(token)
      if (isThenable(verified)) return this.#decodeLater(verified)
      return this.#timely(verified.payload)
    } catch (error) {
      return refuseInvalid(error)
    }
  }

  async #decodeLater(verifying: PromiseLike<VerifiedJws>): Promise<JwtClaims> {
    try {
      return this.#timely((await verifying).payload)
    } catch (error) {
      return refuseInvalid(error)
    }
  }

  #timely(payload: JwtClaims): JwtClaims {
    const { audience, issuer, leewaySeconds } = this.#options
    const nowSeconds = this.#clock.nowMs() / 1000
    const rules = { nowSeconds, leewaySeconds, audience: audience ?? undefined, issuer: issuer ?? undefined }
    const result = checkClaims(payload, rules)
    if (result !== 'ok') throw refused(result)
    return payload
  }

  /**
   * By every id that the user may have: one statement, unless the claim is a text. A token without an id cannot have been
   * revoked, and is refused for that.
   */
  #stateOf(payload: JwtClaims): JwtState | Promise<JwtState> {
    if (!Object.hasOwn(payload, this.#options.jtiClaim)) return NEVER_REVOKED
    const jti = this.#payloads.jtiOf(payload)
    const [userId = '', ...others] = this.#payloads.userIdsOf(payload)
    const state = this.#store.jwts.state(jti, userId)
    return others.length === 0 ? state : this.#latestState(jti, others, state)
  }

  async #latestState(jti: string, others: readonly UserId[], first: Promise<JwtState>): Promise<JwtState> {
    let state = await first
    for (const other of others) {
      const { known, notBefore } = await this.#store.jwts.state(jti, other)
      const isLater = (notBefore?.getTime() ?? -Infinity) > (state.notBefore?.getTime() ?? -Infinity)
      state = { known, notBefore: isLater ? notBefore : state.notBefore }
    }
    return state
  }

  #requireGood(claims: JwtClaims, { known, notBefore }: JwtState, mayHaveEnded: boolean): void {
    const isFromBefore = notBefore !== null && secondsOf(claims.iat) * 1000 <= notBefore.getTime()
    if ((known === 'ended' && !mayHaveEnded) || (known === null && isFromBefore)) throw refused('blacklisted')
    const fault = checkExpiry(claims, 'exp', this.#times()) ?? checkJti(claims, this.#options.jtiClaim)
    if (fault !== undefined) throw refused(fault)
  }

  #times() {
    return { nowSeconds: this.#clock.nowMs() / 1000, leewaySeconds: this.#options.leewaySeconds }
  }
}

const NEVER_REVOKED: JwtState = Object.freeze({ known: null, notBefore: null })

/** What is wrong with a signature is for nobody to know. */
function refuseInvalid(error: unknown): never {
  throw isBranded(error, JWS_ERROR_BRAND) ? refused('invalid') : error
}

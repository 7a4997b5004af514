/**
 * Issue, verify, refresh and revoke JWTs: every rule of simplejwt, and what it lacks. Endpoints and the JWT
 * authenticator call it; checks are `jwt-verifier.ts`, rotation `jwt-refresher.ts`, claims `jwt-payloads.ts`.
 */
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import { type Identity, isSameUserId, type User, type UserId, userIdOf } from '../identity.js'
import {
  ANYTHING,
  checkOptions,
  FUNCTION,
  given,
  numberRule,
  type Rules,
  TEXT,
  wholeNumber,
} from '../options.js'
import type { JwtRecord, Store, UserSource } from '../stores/store.js'
import { loginBasisOf } from '../users/login-basis.js'
import { deleteExpiredJwts } from './expired-jwts.js'
import type { PublicJwk } from './jwks.js'
import { JwtKeys } from './jwt-keys.js'
import { type CompleteJwtOptions, completeJwtOptions, type JwtOptions, type JwtType } from './jwt-options.js'
import { type JwtClaims, JwtPayloads } from './jwt-payloads.js'
import { JwtRefresher } from './jwt-refresher.js'
import { noActiveAccount, refused } from './jwt-refusals.js'
import { type JwtUserOrigin, JwtVerifier } from './jwt-verifier.js'
import { type IssuedJwts, noteIssued } from './note-issued.js'
import type { SigningKeys } from './signing-keys.js'

export interface JwtServiceOptions extends JwtOptions {
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
  /** Verified tokens kept in memory; 0 switches the cache off. */
  readonly cacheEntries: number
  readonly emit?: EmitEvent
  /** Those of the store; needed with `keys: 'store'`. */
  readonly signingKeys?: SigningKeys
}

export interface JwtIssueOptions extends Pick<JwtOptions, 'claims'> {
  /**
   * Where the login came from. With it the login is told (`user_logged_in`), and written down where `updateLastLogin`
   * says so.
   */
  readonly address?: string
  /**
   * When the user began to prove who they are: nothing is issued when everything of theirs was revoked then or since.
   * Default: just now, after whatever was revoked before this call.
   */
  readonly sinceMs?: number
}

/** Which records: of a user, or of all; those after an id, at most so many. */
export interface JwtPage {
  readonly user?: User | UserId
  readonly afterJti?: string
  readonly limit?: number
}

/** A pair as simplejwt's login answers it. */
export interface JwtPair {
  readonly refresh: string
  readonly access: string
}

/** What a refresh gives: an access token, and with rotation the next refresh token. */
export type RefreshedJwts = Pick<JwtPair, 'access'> & Partial<JwtPair>

const ISSUE_RULES: Rules<JwtIssueOptions> = Object.freeze({
  address: TEXT,
  claims: FUNCTION,
  sinceMs: numberRule(0),
})

const PAGE_RULES: Rules<JwtPage> = Object.freeze({
  user: ANYTHING,
  afterJti: TEXT,
  limit: wholeNumber(0),
})

export class JwtService {
  readonly options: CompleteJwtOptions
  readonly #store: Store
  readonly #users: UserSource
  readonly #clock: Clock
  readonly #emit: EmitEvent
  readonly #keys: JwtKeys
  readonly #payloads: JwtPayloads
  readonly #verifier: JwtVerifier
  readonly #refresher: JwtRefresher

  /** @throws TypeError `jwt.<option>: …` */
  constructor({ store, users, clock, cacheEntries, emit, signingKeys, ...options }: JwtServiceOptions) {
    this.options = completeJwtOptions(options)
    this.#store = store
    this.#users = users
    this.#clock = clock
    this.#emit = emit ?? (() => undefined)
    this.#keys = new JwtKeys({ options: this.options, store, clock, signingKeys })
    this.#payloads = new JwtPayloads(this.options, clock, users === store.users)
    this.#verifier = new JwtVerifier({
      options: this.options,
      keys: this.#keys,
      payloads: this.#payloads,
      store,
      users,
      clock,
      cacheEntries,
    })
    this.#refresher = new JwtRefresher({
      options: this.options,
      payloads: this.#payloads,
      verifier: this.#verifier,
      store,
      clock,
      emit: this.#emit,
    })
  }

  /**
   * An access and a refresh token for a user who has just proved who they are: `RefreshToken.for_user(user)`. Throws
   * `authentication_failed` for one who may not log in, and where `login.login()` returned the user and access was narrowed
   * since that login began. `claims`: in place of those of the options.
   */
  async issuePair(user: User, options: JwtIssueOptions = {}): Promise<JwtPair> {
    checkOptions('jwts.issuePair', options, ISSUE_RULES)
    const sinceMs = options.sinceMs ?? this.#clock.nowMs() + 1
    await this.#requireAllowed(user, options)
    const refresh = this.#payloads.newPayload('refresh', user, await this.#claimsOf(user, options))
    const access = this.#payloads.accessFrom(refresh)
    const pair = { refresh: await this.#sign(refresh), access: await this.#sign(access) }
    const basis = loginBasisOf(user, this.#store.access)
    await this.#note(user, { payload: refresh, access, sinceMs, basis }, options)
    return pair
  }

  /** A sliding token: `SlidingToken.for_user(user)`. Throws as `issuePair`. */
  async issueSliding(user: User, options: JwtIssueOptions = {}): Promise<string> {
    checkOptions('jwts.issueSliding', options, ISSUE_RULES)
    const sinceMs = options.sinceMs ?? this.#clock.nowMs() + 1
    await this.#requireAllowed(user, options)
    const payload = this.#payloads.newPayload('sliding', user, await this.#claimsOf(user, options))
    const token = await this.#sign(payload)
    const basis = loginBasisOf(user, this.#store.access)
    await this.#note(user, { payload, sinceMs, basis }, options)
    return token
  }

  /**
   * A new access token for a refresh token; with `rotateRefresh` a new refresh token too. With
   * `blacklistAfterRotation` the presented one ends: one of any number of concurrent callers decides the successor,
   * those within `refreshGraceSeconds` get the same one, and a later one ends the family, which is told
   * (`refresh_reused`). `address`: where the token came from. Throws `authentication_failed` in simplejwt's words.
   */
  async refresh(token: string, { address }: { readonly address?: string } = {}): Promise<RefreshedJwts> {
    const { access, refresh } = await this.#refresher.refresh(token, address ?? null)
    const answer = { access: await this.#sign(access) }
    return refresh === null ? answer : { ...answer, refresh: await this.#sign(refresh) }
  }

  /** A sliding token with a new `exp`, as long as its `refresh_exp` lies ahead. Throws as `refresh`. */
  async refreshSliding(token: string): Promise<string> {
    return this.#sign(await this.#refresher.refreshSliding(token))
  }

  /** Claims of a token of any type that is good: simplejwt's verify endpoint. Throws as `refresh`. */
  async verify(token: string): Promise<JwtClaims> {
    return (await this.#verifier.verify(token)).claims
  }

  /**
   * Ends a refresh token: it is refused from the moment this resolves. One that was exchanged within
   * `refreshGraceSeconds`, by another tab perhaps, ends with its successors; a later one is reuse, as in `refresh`.
   * Throws as `refresh`, also the second time.
   */
  async blacklist(token: string, { address }: { readonly address?: string } = {}): Promise<void> {
    if (!(await this.#refresher.end(token, address ?? null))) throw refused('blacklisted')
  }

  /** Ends any token by its claims, an access token as well: it is refused from the moment this resolves. */
  async revoke(claims: JwtClaims): Promise<boolean> {
    return this.#store.jwts.revoke(this.#payloads.recordOf(claims), new Date(this.#clock.nowMs()))
  }

  /** Ends a token that the store knows by its id: one of `list`. False when it does not, or it had ended. */
  async revokeById(jti: string): Promise<boolean> {
    const record = await this.#store.jwts.find(jti)
    return record !== null && this.#store.jwts.revoke(record, new Date(this.#clock.nowMs()))
  }

  /**
   * What is known of refresh and sliding tokens, ended ones too, ordered by id: simplejwt's outstanding tokens. Never a
   * token; access tokens are not noted.
   */
  async list(options: JwtPage = {}): Promise<readonly JwtRecord[]> {
    checkOptions('jwts.list', options, PAGE_RULES)
    const { user, ...page } = options
    // A user who is missing by mistake must not mean everybody.
    return this.#store.jwts.list('user' in options ? { userId: userIdOf(user) } : {}, given(page))
  }

  /**
   * Ends everything of a user that was issued until now, however its claims spell the user's id: logout everywhere. What is
   * being issued or refreshed meanwhile ends, too. Tells `jwts_revoked`.
   */
  async revokeUser(user: User | UserId): Promise<void> {
    const userId = userIdOf(user)
    const now = new Date(this.#clock.nowMs())
    await this.#store.jwts.revokeUser(userId, now)
    const record = this.#users === this.#store.users ? null : await this.#users.findById(userId)
    if (record !== null && !isSameUserId(record.id, userId)) await this.#store.jwts.revokeUser(record.id, now)
    this.#emit({ kind: 'jwts_revoked', userId })
  }

  /**
   * Removes what is remembered of tokens that no node can accept any more: simplejwt's `flushexpiredtokens`. Returns how
   * many.
   */
  deleteExpired(): Promise<number> {
    return deleteExpiredJwts(this.#store, this.#clock)
  }

  /**
   * Whose token this is. Hot: one hash, one map look-up, and the expiry, synchronously. Cold: the signature, what was
   * revoked and the user, in two statements.
   * @param types token types that are accepted; the first that fits counts
   * @param origin `claimed`: the user is whom the claims describe, and no look-up is made for one
   */
  authenticate(
    token: string,
    types: readonly JwtType[],
    origin: JwtUserOrigin = 'stored',
  ): Identity<JwtClaims> | Promise<Identity<JwtClaims>> {
    return this.#verifier.authenticate(token, types, origin)
  }

  /** The public keys that others verify our tokens with: what `/.well-known/jwks.json` shows. */
  publishedKeys(): Promise<readonly PublicJwk[]> {
    return this.#keys.published()
  }

  /** Drops what memory holds about a user whose record lives elsewhere and has changed. */
  forgetUser(userId: UserId): void {
    this.#verifier.forgetUser(userId)
  }

  /** `aud` and `iss` are put in last, as PyJWT's backend does. */
  #sign(payload: JwtClaims): Promise<string> {
    const { audience, issuer } = this.options
    const signed = {
      ...payload,
      ...(audience === null ? {} : { aud: audience }),
      ...(issuer === null ? {} : { iss: issuer }),
    }
    return this.#keys.sign(signed)
  }

  async #requireAllowed(user: User, options: JwtIssueOptions): Promise<void> {
    if (!(await this.#verifier.mayLogIn(user))) throw this.#loginFailed(user, options)
  }

  async #claimsOf(user: User, { claims = this.options.claims }: JwtIssueOptions): Promise<JwtClaims> {
    return (await claims?.(user)) ?? {}
  }

  /** Writes down what was issued, and tells of the login. */
  async #note(user: User, issued: IssuedJwts, options: JwtIssueOptions): Promise<void> {
    const context = { store: this.#store, payloads: this.#payloads, clock: this.#clock }
    if (!(await noteIssued(context, issued))) throw this.#loginFailed(user, options)
    const { address } = options
    if (address === undefined) return
    const lastLogin = this.options.updateLastLogin ? new Date(this.#clock.nowMs()) : undefined
    if (lastLogin !== undefined) await this.#users.recordLogin?.(user.id, { lastLogin })
    const told = Object.freeze({ ...user, lastLogin: lastLogin ?? user.lastLogin })
    const hint = this.#payloads.jtiOf(issued.payload)
    this.#emit({ kind: 'user_logged_in', user: told, policy: 'jwt', hint, address })
  }

  #loginFailed({ username }: User, { address }: JwtIssueOptions): Error {
    if (address !== undefined) this.#emit({ kind: 'user_login_failed', username, address })
    return noActiveAccount('credentials')
  }
}

/** The JWT service of a Latchkey that has one. Throws a TypeError that says what is missing. */
export function requireJwts(jwts: JwtService | null): JwtService {
  if (jwts === null) throw new TypeError('jwt: createLatchkey({ jwt: { signingKey } }) is missing')
  return jwts
}

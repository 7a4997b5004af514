/**
 * Whose token a secret is: the hot path of every request, and what use does to a token (renewal, removal once expired).
 * A part of the token service, which hands it its store, policies and cache size.
 */
import type { Clock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import type { EmitEvent } from '../events.js'
import type { UserId } from '../identity.js'
import type { ExpiredTokens, Store, TokenRecord, UserSource } from '../stores/store.js'
import { toUser } from '../users/user.js'
import { toToken } from './token.js'
import { digestBytes, digestKey, MAX_SECRET_LENGTH } from './token-digest.js'
import { renewAfterMs, renewedExpiryMs, type TokenPolicy } from './token-policy.js'
import { VerifiedCache, type VerifiedToken } from './verified-cache.js'

export interface TokenVerifierOptions {
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
  readonly policies: ReadonlyMap<string, TokenPolicy>
  readonly cacheEntries: number
  readonly emit: EmitEvent
}

/** The user and the token behind a secret: DRF's `(user, auth)`. */
export type TokenIdentity = VerifiedToken['identity']

/** Names of the policies whose tokens are taken; undefined: all. */
type Accepted = ReadonlySet<string> | undefined

export class TokenVerifier {
  readonly #options: TokenVerifierOptions
  readonly #cache: VerifiedCache | null

  constructor(options: TokenVerifierOptions) {
    const { cacheEntries, store } = options
    if (!Number.isSafeInteger(cacheEntries) || cacheEntries < 0)
      throw new TypeError('cacheEntries: must be 0 or more')
    this.#options = options
    this.#cache = cacheEntries === 0 ? null : new VerifiedCache(cacheEntries)
    store.changes.subscribe((change) => this.#cache?.apply(change))
  }

  /** See `TokenService.verify`. */
  verify(secret: string, accepted: Accepted): TokenIdentity | Promise<TokenIdentity> {
    if (secret.length === 0 || secret.length > MAX_SECRET_LENGTH) throw invalidToken()
    this.#options.store.changes.catchUp()
    const key = digestKey(secret)
    const nowMs = this.#options.clock.nowMs()
    const verified = this.#cache?.get(key)
    // One that expired in memory is looked up again, so that its row goes too.
    if (verified === undefined || verified.expiresAtMs <= nowMs) return this.#verifyCold(key, accepted)
    const identity = judge(verified, accepted, nowMs)
    return nowMs > verified.renewAfterMs ? this.#renew(key, identity, accepted) : identity
  }

  forgetUser(userId: UserId): void {
    this.#cache?.apply({ kind: 'user', userId })
  }

  /** Removes expired tokens, and tells of each. */
  async deleteExpired(which: ExpiredTokens): Promise<readonly TokenRecord[]> {
    const { store, clock, emit } = this.#options
    const deleted = await store.tokens.deleteExpired(new Date(clock.nowMs()), which)
    for (const { userId, policy, hint } of deleted) emit({ kind: 'token_expired', userId, policy, hint })
    return deleted
  }

  async #verifyCold(key: string, accepted: Accepted): Promise<TokenIdentity> {
    const verified = await this.#lookUp(key)
    const nowMs = this.#options.clock.nowMs()
    const identity = judge(verified, accepted, nowMs)
    return nowMs > verified.renewAfterMs ? this.#renew(key, identity, accepted) : identity
  }

  /** What the store knows of a token that has not expired, kept in memory from now on. */
  async #lookUp(key: string): Promise<VerifiedToken> {
    const { store, users, clock, policies } = this.#options
    const epoch = this.#cache?.epoch ?? 0
    const found = await store.tokens.findByDigest(digestBytes(key))
    if (found === null) throw invalidToken()
    const { token } = found
    const expiresAtMs = token.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    if (expiresAtMs <= clock.nowMs()) {
      // If the store cannot now, the next caller who presents it tries again.
      await this.deleteExpired({ id: token.id }).catch(() => undefined)
      throw invalidToken()
    }
    const user = users === store.users ? found.user : await users.findById(token.userId)
    if (user === null) throw inactiveUser()
    const policy = policies.get(token.policy)
    const verified: VerifiedToken = {
      identity: Object.freeze({ user: toUser(user), auth: toToken(token) }),
      expiresAtMs,
      renewAfterMs: policy === undefined ? Number.POSITIVE_INFINITY : renewAfterMs(policy, token),
    }
    this.#cache?.set(key, verified, epoch)
    return verified
  }

  /**
   * Moves the expiry, unless a concurrent use did or a logout was faster; what the store says afterwards counts, so a
   * token that was revoked meanwhile is refused.
   */
  async #renew(key: string, identity: TokenIdentity, accepted: Accepted): Promise<TokenIdentity> {
    const { store, clock, policies } = this.#options
    const { auth } = identity
    const policy = policies.get(auth.policy)
    const renewedMs = policy === undefined ? null : renewedExpiryMs(policy, auth, clock.nowMs())
    if (renewedMs === null || auth.expiresAt === null) return identity
    await store.tokens.renew(auth.id, auth.expiresAt, new Date(renewedMs))
    return judge(await this.#lookUp(key), accepted, clock.nowMs())
  }
}

function judge({ identity, expiresAtMs }: VerifiedToken, accepted: Accepted, nowMs: number): TokenIdentity {
  if (expiresAtMs <= nowMs) throw invalidToken()
  if (accepted !== undefined && !accepted.has(identity.auth.policy)) throw invalidToken()
  if (!identity.user.isActive) throw inactiveUser()
  return identity
}

/** One answer for unknown, revoked, expired and malformed: an outsider learns nothing. */
function invalidToken(): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message: 'Invalid token.' })
}

function inactiveUser(): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message: 'User inactive or deleted.' })
}

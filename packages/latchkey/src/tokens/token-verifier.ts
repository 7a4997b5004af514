/**
 * Whose token a secret is: the hot path of every request, and what use does to a token (renewal, removal once expired).
 * A part of the token service, which hands it its store, policies and cache size.
 */
import type { Clock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import type { EmitEvent } from '../events.js'
import { CheckedIdentity, isSameUserId, type User, type UserId } from '../identity.js'
import type { ExpiredTokens, Store, TokenRecord, UserSource } from '../stores/store.js'
import { toUser } from '../users/user.js'
import { addressMatcher } from './allowed-addresses.js'
import { ExpiredRemovals } from './expired-removals.js'
import { LastUsed } from './last-used.js'
import { type RecentSecret, RecentSecrets } from './recent-secrets.js'
import { intersectScopes, sharedScopes } from './scopes.js'
import { OwnToken, type Token, toToken } from './token.js'
import { digestBytes, digestKey, digestKeyOf, MAX_SECRET_LENGTH } from './token-digest.js'
import { isPrintable, isWellFormedBehind, type SecretFormat, secretPrefix } from './token-format.js'
import { ownedScopes, renewAfterMs, renewedExpiryMs, type TokenPolicy } from './token-policy.js'
import { VerifiedCache } from './verified-cache.js'
import type { VerifiedToken } from './verified-token.js'

export interface TokenVerifierOptions {
  readonly store: Store
  readonly users: UserSource
  readonly clock: Clock
  readonly policies: ReadonlyMap<string, TokenPolicy>
  readonly cacheEntries: number
  readonly emit: EmitEvent
  readonly flushSeconds: number
  readonly onTrouble: (error: unknown) => void
}

/** Where a secret came from, for tokens that may come from some addresses only. */
export interface Caller {
  /** The caller's address in full, as far as configured proxies are trusted. */
  readonly clientAddress: string
}

/** The user and the token behind a secret: DRF's `(user, auth)`. */
export type TokenIdentity = VerifiedToken['identity']

/** A Map ends at 2^24 entries. */
const MAX_CACHE_ENTRIES = 16_000_000

/** Names of the policies whose tokens are taken; undefined: all. */
type Accepted = ReadonlySet<string> | undefined

export class TokenVerifier {
  readonly #options: TokenVerifierOptions
  readonly #cache: VerifiedCache | null
  readonly #recent = new RecentSecrets()
  readonly #formats: ReadonlyArray<readonly [format: SecretFormat, brand: string]>
  readonly #lastUsed: LastUsed
  readonly #removals = new ExpiredRemovals((id) => this.deleteExpired({ id }))

  constructor(options: TokenVerifierOptions) {
    const { cacheEntries, store } = options
    if (!Number.isSafeInteger(cacheEntries) || cacheEntries < 0 || cacheEntries > MAX_CACHE_ENTRIES)
      throw new TypeError(`cacheEntries: must be a whole number from 0 to ${MAX_CACHE_ENTRIES}`)
    this.#options = options
    this.#formats = [...options.policies.values()].flatMap(({ format }) =>
      format === null ? [] : [[format, secretPrefix(format)] as const],
    )
    this.#lastUsed = new LastUsed({ ...options, tokens: store.tokens })
    this.#cache = cacheEntries === 0 ? null : new VerifiedCache(cacheEntries)
    store.changes.subscribe((change) => this.#cache?.apply(change))
  }

  /** See `TokenService.verify`. */
  verify(secret: string, accepted: Accepted, caller: Caller | null): TokenIdentity | Promise<TokenIdentity> {
    if (typeof secret !== 'string') throw new TypeError('secret: must be a text')
    const identity = this.verifyBehind(secret, 0, accepted, caller)
    if (identity === undefined) throw INVALID_TOKEN
    return identity
  }

  /** See `TokenService.verifyBehind`; a secret that begins its text may have any characters. */
  verifyBehind(
    text: string,
    secretStart: number,
    accepted: Accepted,
    caller: Caller | null,
  ): TokenIdentity | Promise<TokenIdentity> | undefined {
    const { clock, store } = this.#options
    const nowMs = clock.nowMs()
    const recent = this.#recent.get(text, secretStart, nowMs)
    if (recent === undefined && secretStart > 0 && !isPrintable(text, secretStart)) return undefined
    const key = recent === undefined ? this.#keyOf(text.slice(secretStart)) : recent.key
    store.changes.catchUp()
    const cache = this.#cache
    if (cache === null) return this.#verifyCold(key, accepted, caller)
    const { epoch } = cache
    const isKnown = recent !== undefined && recent.epoch === epoch
    if (isKnown && nowMs < recent.plainUntilMs) {
      if (accepted !== undefined && !accepted.has(recent.policy)) throw INVALID_TOKEN
      return recent.identity
    }
    const verified = isKnown ? recent.verified : cache.get(key)
    // One that expired in memory is looked up again, so that its row goes too.
    if (verified === undefined || verified.endsAtMs <= nowMs) return this.#verifyCold(key, accepted, caller)
    const identity = this.#use(key, verified, accepted, caller, nowMs)
    if (recent === undefined || !isKnown) {
      const found = recentSecret(secretStart, key, verified, epoch)
      if (recent === undefined) this.#recent.offer(text, found, nowMs)
      else Object.assign(recent, found)
    }
    return identity
  }

  /** Writes the uses that are only counted in memory so far. */
  flushUses(): Promise<void> {
    return this.#lastUsed.flush()
  }

  /** Resolves when the expired tokens that were presented so far have been removed, or could not be. */
  settleRemovals(): Promise<void> {
    return this.#removals.settle()
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

  /** Whether a secret is empty, too long, or of one of our formats and mistyped: no store knows it. */
  isMalformed(secret: string): boolean {
    if (secret.length === 0 || secret.length > MAX_SECRET_LENGTH) return true
    for (const [format, prefix] of this.#formats) {
      const isRestGood = isWellFormedBehind(prefix, secret, format)
      if (secret.startsWith(prefix)) return !isRestGood
      // The rest tells what the prefix should have been.
      if (isRestGood) return true
    }
    return false
  }

  #keyOf(secret: string): string {
    if (this.isMalformed(secret)) throw INVALID_TOKEN
    return digestKey(secret)
  }

  async #verifyCold(key: string, accepted: Accepted, caller: Caller | null): Promise<TokenIdentity> {
    return this.#use(key, await this.#lookUp(key), accepted, caller, this.#options.clock.nowMs())
  }

  /** What is asked at every use, hot or cold; one that is let through is counted, once, and may renew the token. */
  #use(
    key: string,
    verified: VerifiedToken,
    accepted: Accepted,
    caller: Caller | null,
    nowMs: number,
  ): TokenIdentity | Promise<TokenIdentity> {
    const { identity, endsAtMs, allows, tracksUse, renewAfterMs } = verified
    if (endsAtMs <= nowMs) throw INVALID_TOKEN
    if (accepted !== undefined && !accepted.has(identity.auth.policy)) throw INVALID_TOKEN
    if (!identity.user.isActive) throw INACTIVE_USER
    if (allows !== null || tracksUse) {
      const address = caller?.clientAddress ?? null
      if (allows !== null && (address === null || !allows(address))) throw INVALID_TOKEN
      if (tracksUse) {
        verified.tally ??= this.#lastUsed.tallyOf(identity.auth.id, key)
        this.#lastUsed.note(verified.tally, nowMs, address)
      }
    }
    return nowMs > renewAfterMs ? this.#renew(key, identity) : identity
  }

  /** What the store knows of a token that has not expired, kept in memory from now on. */
  async #lookUp(key: string): Promise<VerifiedToken> {
    const { store, users, clock, policies } = this.#options
    const epoch = this.#cache?.epoch ?? 0
    const found = await store.tokens.findByDigest(digestBytes(key))
    if (found === null) throw INVALID_TOKEN
    const { token } = found
    const expiresAtMs = token.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    if (expiresAtMs <= clock.nowMs()) {
      this.#removals.note(token.id)
      throw INVALID_TOKEN
    }
    const record = users === store.users ? found.user : await users.findById(token.userId)
    if (record === null) throw INACTIVE_USER
    const user = toUser(record)
    // A policy that is not registered here may have rules that would narrow the token.
    const policy = policies.get(token.policy)
    if (policy === undefined) throw INVALID_TOKEN
    // The same text for all of its tokens, which a Set then need not compare letter by letter.
    const named = { ...token, policy: policy.name }
    const secretEndsAtMs =
      key === digestKeyOf(token.digest) ? expiresAtMs : (token.previous?.endsAt.getTime() ?? 0)
    const verified: VerifiedToken = {
      identity: new CheckedIdentity(user, cappedToken(toToken(named), user, policy)),
      endsAtMs: Math.min(expiresAtMs, secretEndsAtMs),
      renewAfterMs: renewAfterMs(policy, token),
      allows: token.allowedAddresses && addressMatcher(token.allowedAddresses),
      tracksUse: policy.tracksUse,
      tally: null,
    }
    // A change names the user by the record's id, and could not be found under another one (a source that ignores case).
    if (isSameUserId(user.id, token.userId)) this.#cache?.set(key, verified, epoch)
    return verified
  }

  /**
   * Moves the expiry, unless a concurrent use did or a logout was faster; what the store says afterwards counts, so a
   * token that was revoked meanwhile is refused.
   */
  async #renew(key: string, identity: TokenIdentity): Promise<TokenIdentity> {
    const { store, clock, policies } = this.#options
    const { auth } = identity
    const policy = policies.get(auth.policy)
    const renewedMs = policy === undefined ? null : renewedExpiryMs(policy, auth, clock.nowMs())
    if (renewedMs === null || auth.expiresAt === null) return identity
    await store.tokens.renew(auth.id, auth.expiresAt, new Date(renewedMs))
    const renewed = await this.#lookUp(key)
    if (renewed.endsAtMs <= clock.nowMs()) throw INVALID_TOKEN
    if (!renewed.identity.user.isActive) throw INACTIVE_USER
    return renewed.identity
  }
}

/** Of a token that `#use` has just let through: an inactive user's is never remembered. */
function recentSecret(
  secretStart: number,
  key: string,
  verified: VerifiedToken,
  epoch: number,
): RecentSecret {
  const { identity, endsAtMs, renewAfterMs, allows, tracksUse } = verified
  const isPlain = allows === null && !tracksUse
  const plainUntilMs = isPlain ? Math.min(endsAtMs, renewAfterMs) : Number.NEGATIVE_INFINITY
  return { secretStart, key, plainUntilMs, policy: identity.auth.policy, identity, verified, epoch }
}

/** A token whose scopes are what it was issued for and its owner may still do. */
function cappedToken(token: Token, user: User, policy: TokenPolicy): Token {
  const owned = ownedScopes(policy, user)
  if (owned === null) return token
  const scopes = sharedScopes(token.scopes === null ? owned : intersectScopes(token.scopes, owned))
  return new OwnToken({ ...token, scopes })
}

/**
 * One answer for unknown, revoked, expired, malformed, and from the wrong place: an outsider learns nothing. One object
 * for all of them, since collecting a stack costs more than all the rest of a refusal.
 */
const INVALID_TOKEN = Object.freeze(new LatchkeyError('authentication_failed', { message: 'Invalid token.' }))

const INACTIVE_USER = Object.freeze(
  new LatchkeyError('authentication_failed', { message: 'User inactive or deleted.' }),
)

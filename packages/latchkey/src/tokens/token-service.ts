/**
 * Issue, verify, list, reveal, revoke: every rule about opaque tokens. Authenticators, endpoints and commands call it;
 * it alone turns secrets into digests and talks to the token store.
 */
import type { Clock } from '../clock.js'
import type { Keyring } from '../crypto/keyring.js'
import { LatchkeyError } from '../errors.js'
import type { User, UserId } from '../identity.js'
import type { Store, TokenFilter, TokenRecord, UserSource } from '../stores/store.js'
import { toUser } from '../users/user.js'
import { type Token, toToken } from './token.js'
import { digestBytes, digestKey, MAX_SECRET_LENGTH } from './token-digest.js'
import { AUTHTOKEN, hintOf, newSecretText, TOKEN_POLICIES, type TokenPolicy } from './token-policy.js'
import { TokenSecret } from './token-secret.js'
import { VerifiedCache, type VerifiedToken } from './verified-cache.js'

export interface TokenServiceOptions {
  readonly store: Store
  readonly users: UserSource
  readonly keyring: Keyring
  readonly clock: Clock
  /** Default is the built-in table. */
  readonly policies?: readonly TokenPolicy[]
  /** Verified tokens kept in memory; twice as many at the most. 0 switches the cache off. Default is 50,000. */
  readonly cacheEntries?: number
}

export interface IssueOptions {
  /** Whose token. */
  readonly user: User | UserId
  /** Name of the policy. Default is `authtoken`. */
  readonly policy?: string
  /** A label for people. Default is none. */
  readonly name?: string
  /** Lifetime in seconds, null for ever. Default is the policy's. */
  readonly ttlSeconds?: number | null
}

/** A token with its secret: the only moment at which both are in one place. */
export interface IssuedToken {
  readonly token: Token
  readonly secret: TokenSecret
}

export interface TokenPage {
  readonly user?: User | UserId
  readonly policy?: string
  readonly afterId?: number
  readonly limit?: number
}

/** The user and the token behind a secret: DRF's `(user, auth)`. */
export type TokenIdentity = VerifiedToken['identity']

export class TokenService {
  readonly #store: Store
  readonly #users: UserSource
  readonly #keyring: Keyring
  readonly #clock: Clock
  readonly #policies: ReadonlyMap<string, TokenPolicy>
  readonly #cache: VerifiedCache | null

  constructor(options: TokenServiceOptions) {
    const { cacheEntries = 50_000 } = options
    if (!Number.isSafeInteger(cacheEntries) || cacheEntries < 0)
      throw new TypeError('cacheEntries: must be 0 or more')
    this.#store = options.store
    this.#users = options.users
    this.#keyring = options.keyring
    this.#clock = options.clock
    this.#policies = new Map((options.policies ?? TOKEN_POLICIES).map((policy) => [policy.name, policy]))
    this.#cache = cacheEntries === 0 ? null : new VerifiedCache(cacheEntries)
    options.store.changes.subscribe((change) => this.#cache?.apply(change))
  }

  /**
   * Issues a new token: the tutorial's `Token.objects.create(user=...)`.
   * Throws `token_exists` when the policy allows one per user and there is one, `not_found` for an unknown user.
   */
  async issue(options: IssueOptions): Promise<IssuedToken> {
    const policy = this.#policy(options.policy)
    const issued = await this.#insert(policy, options, newSecretText(policy))
    if (!issued.created) throw new LatchkeyError('token_exists')
    return issued
  }

  /**
   * The user's token of a policy that allows one, issued now if there is none: DRF's `get_or_create`. Any number of
   * concurrent calls, in any number of processes, get the same secret. An expired one makes room for a new one.
   */
  async getOrCreate(options: IssueOptions): Promise<IssuedToken & { readonly created: boolean }> {
    const policy = this.#policy(options.policy)
    if (!policy.onePerUser || !policy.shownAgain) {
      throw new TypeError(`policy: ${policy.name} does not have one token per user that is shown again`)
    }
    for (;;) {
      const issued = await this.#insert(policy, options, newSecretText(policy))
      const { expiresAt } = issued.token
      if (issued.created || expiresAt === null || expiresAt.getTime() > this.#clock.nowMs()) return issued
      await this.revoke(issued.token)
    }
  }

  /**
   * Takes over a token that another system issued (a row of DRF's `authtoken_token`): its holder stays logged in.
   * Throws `token_exists` when the user has one already, or the secret is another token's.
   */
  async import(options: IssueOptions & { readonly secret: string }): Promise<IssuedToken> {
    if (options.secret.length === 0 || options.secret.length > MAX_SECRET_LENGTH) {
      throw new TypeError(`secret: must have 1 to ${MAX_SECRET_LENGTH} characters`)
    }
    const issued = await this.#insert(this.#policy(options.policy), options, options.secret)
    if (!issued.created) throw new LatchkeyError('token_exists')
    return issued
  }

  /**
   * Whose token this is. Hot: one hash, one map look-up, expiry and activity checks, all synchronous, no SQL.
   * Cold: one statement, and then it is hot.
   *
   * Throws (or rejects with) `authentication_failed` in DRF's words: "Invalid token." for anything unknown, revoked,
   * expired or malformed, "User inactive or deleted."; and `store_unavailable`, never "allowed", when the store is in
   * trouble.
   */
  verify(secret: string): TokenIdentity | Promise<TokenIdentity> {
    if (secret.length === 0 || secret.length > MAX_SECRET_LENGTH) throw invalidToken()
    this.#store.changes.catchUp()
    const key = digestKey(secret)
    const verified = this.#cache?.get(key)
    return verified === undefined ? this.#verifyCold(key) : this.#judge(verified)
  }

  /** The secret of a token whose policy shows it again. Throws `not_found`; `sealing_key_missing` if it cannot be opened. */
  async reveal(token: Token | number): Promise<TokenSecret> {
    const record = await this.#store.tokens.findById(typeof token === 'number' ? token : token.id)
    if (record === null) throw new LatchkeyError('not_found')
    return this.#unseal(record)
  }

  /** The token with this id, or null. */
  async get(id: number): Promise<Token | null> {
    const record = await this.#store.tokens.findById(id)
    return record === null ? null : toToken(record)
  }

  /** Tokens ordered by id, all of them or a user's, a policy's, a page's. Never a secret. */
  async list(page: TokenPage = {}): Promise<readonly Token[]> {
    const { afterId, limit } = page
    const records = await this.#store.tokens.list(filterOf(page), {
      ...(afterId === undefined ? {} : { afterId }),
      ...(limit === undefined ? {} : { limit }),
    })
    return records.map(toToken)
  }

  /** Revokes one token. From the moment this resolves it is refused. False when there was none. */
  revoke(token: Token | number): Promise<boolean> {
    return this.#store.tokens.delete(typeof token === 'number' ? token : token.id)
  }

  /** Revokes all tokens of a user, or those of one policy; returns how many there were. */
  revokeAll(filter: { readonly user: User | UserId; readonly policy?: string }): Promise<number> {
    return this.#store.tokens.deleteMany(filterOf(filter))
  }

  /**
   * Seals everything under the newest key again, after which older secrets can go. Safe to stop, to repeat, and to run
   * beside servers. Returns how many tokens were sealed anew and how many no secret at hand could open.
   */
  async reseal(): Promise<{ readonly resealed: number; readonly unopened: number }> {
    let resealed = 0
    let unopened = 0
    for (let afterId = 0; ; ) {
      const records = await this.#store.tokens.list({}, { afterId, limit: 500 })
      for (const record of records) {
        afterId = record.id
        if (record.sealed === null || this.#keyring.isNewest(record.sealed)) continue
        try {
          const sealed = this.#keyring.seal(this.#unseal(record).reveal(), record.digest)
          if (await this.#store.tokens.reseal(record.id, record.sealed, sealed)) resealed += 1
        } catch (error) {
          if (!(error instanceof LatchkeyError) || error.code !== 'sealing_key_missing') throw error
          unopened += 1
        }
      }
      if (records.length === 0) return { resealed, unopened }
    }
  }

  /** Drops what memory holds about a user whose record lives elsewhere and has changed. */
  forgetUser(userId: UserId): void {
    this.#cache?.apply({ kind: 'user', userId })
  }

  async #verifyCold(key: string): Promise<TokenIdentity> {
    const epoch = this.#cache?.epoch ?? 0
    const found = await this.#store.tokens.findByDigest(digestBytes(key))
    if (found === null) throw invalidToken()
    const user =
      this.#users === this.#store.users ? found.user : await this.#users.findById(found.token.userId)
    if (user === null) throw inactiveUser()
    const identity = Object.freeze({ user: toUser(user), auth: toToken(found.token) })
    const verified = { identity, expiresAtMs: found.token.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY }
    this.#cache?.set(key, verified, epoch)
    return this.#judge(verified)
  }

  #judge({ identity, expiresAtMs }: VerifiedToken): TokenIdentity {
    if (expiresAtMs <= this.#clock.nowMs()) throw invalidToken()
    if (!identity.user.isActive) throw inactiveUser()
    return identity
  }

  async #insert(
    policy: TokenPolicy,
    options: IssueOptions,
    secret: string,
  ): Promise<IssuedToken & { readonly created: boolean }> {
    const { ttlSeconds = policy.ttlSeconds } = options
    if (ttlSeconds !== null && !Number.isFinite(ttlSeconds))
      throw new TypeError('ttlSeconds: must be a number or null')
    const digest = digestBytes(digestKey(secret))
    const nowMs = this.#clock.nowMs()
    const inserted = await this.#store.tokens.insertOrGet({
      policy: policy.name,
      userId: idOf(options.user),
      digest,
      hint: hintOf(policy, secret),
      sealed: policy.shownAgain ? this.#keyring.seal(secret, digest) : null,
      name: options.name ?? '',
      createdAt: new Date(nowMs),
      expiresAt: ttlSeconds === null ? null : new Date(nowMs + ttlSeconds * 1000),
      onePerUser: policy.onePerUser,
    })
    if (inserted === null) {
      const user = await this.#users.findById(idOf(options.user))
      throw new LatchkeyError(user === null ? 'not_found' : 'token_exists')
    }
    const { token, created } = inserted
    return { token: toToken(token), created, secret: created ? new TokenSecret(secret) : this.#unseal(token) }
  }

  #unseal(record: TokenRecord): TokenSecret {
    if (record.sealed === null)
      throw new TypeError(`token: policy ${record.policy} never shows a secret again`)
    return new TokenSecret(this.#keyring.unseal(record.sealed, record.digest))
  }

  #policy(name: string = AUTHTOKEN.name): TokenPolicy {
    const policy = this.#policies.get(name)
    if (policy === undefined) {
      throw new TypeError(`policy: there is no '${name}', only ${[...this.#policies.keys()].join(', ')}`)
    }
    return policy
  }
}

function idOf(user: User | UserId): UserId {
  return typeof user === 'object' ? user.id : user
}

function filterOf({
  user,
  policy,
}: {
  readonly user?: User | UserId
  readonly policy?: string
}): TokenFilter {
  return {
    ...(user === undefined ? {} : { userId: idOf(user) }),
    ...(policy === undefined ? {} : { policy }),
  }
}

/** One answer for unknown, revoked, expired and malformed: an outsider learns nothing. */
function invalidToken(): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message: 'Invalid token.' })
}

function inactiveUser(): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message: 'User inactive or deleted.' })
}

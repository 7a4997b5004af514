/**
 * Issue, verify, list, reveal, revoke: every rule about opaque tokens. Authenticators, endpoints and commands call it;
 * it alone turns secrets into digests and talks to the token store.
 */
import type { Clock } from '../clock.js'
import type { Keyring } from '../crypto/keyring.js'
import { LatchkeyError } from '../errors.js'
import type { EmitEvent } from '../events.js'
import type { User, UserId } from '../identity.js'
import type { Store, TokenFilter, TokenRecord, UserSource } from '../stores/store.js'
import { type Token, toToken } from './token.js'
import { digestBytes, digestKey, MAX_SECRET_LENGTH } from './token-digest.js'
import { AUTHTOKEN, hintOf, newSecretText, policyTable, type TokenPolicy } from './token-policy.js'
import { TokenSecret } from './token-secret.js'
import { type TokenIdentity, TokenVerifier } from './token-verifier.js'

export interface TokenServiceOptions {
  readonly store: Store
  readonly users: UserSource
  readonly keyring: Keyring
  readonly clock: Clock
  /** Beside the built-in `authtoken`. */
  readonly policies?: readonly TokenPolicy[]
  /** Told of each expired token that is removed. */
  readonly emit?: EmitEvent
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

export class TokenService {
  readonly #store: Store
  readonly #keyring: Keyring
  readonly #clock: Clock
  readonly #policies: ReadonlyMap<string, TokenPolicy>
  readonly #verifier: TokenVerifier

  constructor(options: TokenServiceOptions) {
    const { store, users, keyring, clock, cacheEntries = 50_000, emit = () => undefined } = options
    this.#store = store
    this.#keyring = keyring
    this.#clock = clock
    this.#policies = policyTable(options.policies ?? [])
    this.#verifier = new TokenVerifier({ store, users, clock, policies: this.#policies, cacheEntries, emit })
  }

  /**
   * Issues a new token: the tutorial's `Token.objects.create(user=...)`.
   * Throws `token_exists` when the policy allows one per user and there is one, `token_limit_reached` when the user has
   * as many as the policy allows (exact under concurrency, across processes), `not_found` for an unknown user.
   */
  async issue(options: IssueOptions): Promise<IssuedToken> {
    const policy = this.#policy(options.policy)
    return this.#insertNew(policy, options, newSecretText(policy), policy.limitPerUser)
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
      const text = newSecretText(policy)
      const { kind, token } = await this.#insert(policy, options, text, policy.limitPerUser)
      if (kind === 'created') return { token: toToken(token), secret: new TokenSecret(text), created: true }
      const { id, expiresAt } = token
      if (expiresAt === null || expiresAt.getTime() > this.#clock.nowMs()) {
        return { token: toToken(token), secret: this.#unseal(token), created: false }
      }
      await this.#verifier.deleteExpired({ id })
    }
  }

  /**
   * Takes over a token that another system issued (a row of DRF's `authtoken_token`): its holder stays logged in,
   * whatever the shape of the secret and however many tokens the user has.
   * Throws `token_exists` when the user has one already, or the secret is another token's.
   */
  async import(options: IssueOptions & { readonly secret: string }): Promise<IssuedToken> {
    if (options.secret.length === 0 || options.secret.length > MAX_SECRET_LENGTH) {
      throw new TypeError(`secret: must have 1 to ${MAX_SECRET_LENGTH} characters`)
    }
    return this.#insertNew(this.#policy(options.policy), options, options.secret, null)
  }

  /**
   * Whose token this is. Hot: one hash, one map look-up, expiry and activity checks, all synchronous, no SQL.
   * Cold: one statement, and then it is hot. Where the policy renews tokens by use and enough time has passed, this
   * one verification also writes.
   *
   * Throws (or rejects with) `authentication_failed` in DRF's words: "Invalid token." for anything unknown, revoked,
   * expired, malformed or of another policy, "User inactive or deleted."; and `store_unavailable`, never "allowed",
   * when the store is in trouble.
   *
   * @param accepted names of the policies whose tokens are taken here; default: all
   */
  verify(secret: string, accepted?: ReadonlySet<string>): TokenIdentity | Promise<TokenIdentity> {
    return this.#verifier.verify(secret, accepted)
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

  /**
   * Removes the tokens that have expired, in batches, and tells `token_expired` for each. Returns how many there were.
   * Expired tokens are refused whether or not this ever runs: it saves space. Safe to stop, to repeat, and to run
   * beside servers.
   */
  async deleteExpired(): Promise<number> {
    let count = 0
    for (let afterId = 0; ; ) {
      const deleted = await this.#verifier.deleteExpired({ afterId, limit: 500 })
      count += deleted.length
      const last = deleted.at(-1)
      if (last === undefined) return count
      afterId = last.id
    }
  }

  /** Drops what memory holds about a user whose record lives elsewhere and has changed. */
  forgetUser(userId: UserId): void {
    this.#verifier.forgetUser(userId)
  }

  async #insertNew(
    policy: TokenPolicy,
    options: IssueOptions,
    text: string,
    limitPerUser: number | null,
  ): Promise<IssuedToken> {
    const { kind, token } = await this.#insert(policy, options, text, limitPerUser)
    if (kind === 'existing') throw new LatchkeyError('token_exists')
    return { token: toToken(token), secret: new TokenSecret(text) }
  }

  async #insert(policy: TokenPolicy, options: IssueOptions, text: string, limitPerUser: number | null) {
    const { ttlSeconds = policy.ttlSeconds } = options
    if (ttlSeconds !== null && !Number.isFinite(ttlSeconds))
      throw new TypeError('ttlSeconds: must be a number or null')
    const digest = digestBytes(digestKey(text))
    const nowMs = this.#clock.nowMs()
    const inserted = await this.#store.tokens.insertOrGet({
      policy: policy.name,
      userId: idOf(options.user),
      digest,
      hint: hintOf(policy, text),
      sealed: policy.shownAgain ? this.#keyring.seal(text, digest) : null,
      name: options.name ?? '',
      createdAt: new Date(nowMs),
      expiresAt: ttlSeconds === null ? null : new Date(nowMs + ttlSeconds * 1000),
      onePerUser: policy.onePerUser,
      limitPerUser,
    })
    switch (inserted.kind) {
      case 'created':
      case 'existing':
        return inserted
      case 'limit_reached':
        throw new LatchkeyError('token_limit_reached')
      case 'digest_taken':
        throw new LatchkeyError('token_exists')
      case 'no_user':
        throw new LatchkeyError('not_found')
    }
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

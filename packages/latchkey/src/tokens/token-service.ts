/**
 * Issue, verify, list, reveal, revoke: every rule about opaque tokens. Authenticators, endpoints and commands call it;
 * it alone turns secrets into digests and talks to the token store.
 */
import type { Clock } from '../clock.js'
import type { Keyring } from '../crypto/keyring.js'
import { LatchkeyError } from '../errors.js'
import type { EmitEvent } from '../events.js'
import { type UserId, userIdSpellings } from '../identity.js'
import { BOOLEAN, checkOptions, checkValue, numberRule, type Rules, required, rule } from '../options.js'
import { Sealer } from '../sealing/sealer.js'
import type { Store, TokenRecord, TokenUse, UserSource } from '../stores/store.js'
import { SealedSecrets } from './sealed-secrets.js'
import { type ListedToken, type Token, toListedToken, toToken } from './token.js'
import { digestBytes, digestKey, MAX_SECRET_LENGTH } from './token-digest.js'
import {
  checkIssueOptions,
  expiryOf,
  type IssueOptions,
  TokenIssuer,
  type TokenWishes,
} from './token-issuer.js'
import {
  AUTHTOKEN,
  hintOf,
  newSecretText,
  policyTable,
  TOKEN_POLICY_RULES,
  type TokenPolicy,
} from './token-policy.js'
import { TokenSecret } from './token-secret.js'
import { filterOfPage, filterOfSelection, type TokenPage, type TokenSelection } from './token-selection.js'
import { type Caller, type TokenIdentity, TokenVerifier } from './token-verifier.js'

export interface TokenServiceOptions {
  readonly store: Store
  readonly users: UserSource
  readonly keyring: Keyring
  readonly clock: Clock
  /** Beside the built-in `authtoken`. */
  readonly policies?: readonly TokenPolicy[]
  /** Told of each expired token that is removed. */
  readonly emit?: EmitEvent
  /** How long a use of a token may wait in memory before it is written; default is 30. */
  readonly lastUsedFlushSeconds?: number
  /** Told when uses could not be written; they are tried again. Default is nobody. */
  readonly onTrouble?: (error: unknown) => void
  /** Verified tokens kept in memory; twice as many at the most. 0 switches the cache off. Default is 50,000. */
  readonly cacheEntries?: number
}

export interface RotateOptions {
  /** How long the secret that is replaced works beside the new one; 0: not at all. Default is 86,400, a day. */
  readonly overlapSeconds?: number
  /** A new lifetime, counted from now; null: for ever. Default leaves the expiry as it is. */
  readonly ttlSeconds?: number | null
}

export interface FinishOptions {
  /** True: not while somebody uses the previous secret. Default is false. */
  readonly ifQuiet?: boolean
}

/** Who has not used a previous secret for an hour is taken to have the new one. */
const QUIET_MS = 3_600_000

/** A token with its secret: the only moment at which both are in one place. */
export interface IssuedToken {
  readonly token: Token
  readonly secret: TokenSecret
}

const ROTATE_RULES: Rules<RotateOptions> = Object.freeze({
  overlapSeconds: numberRule(0),
  ttlSeconds: TOKEN_POLICY_RULES.ttlSeconds,
})

const TOKEN_ID = required(rule('be a token, or the id of one', (value) => typeof value === 'number'))

const IMPORTED_SECRET = required(
  rule(
    `be a text of 1 to ${MAX_SECRET_LENGTH} characters`,
    (value) => typeof value === 'string' && value.length > 0 && value.length <= MAX_SECRET_LENGTH,
  ),
)

/** A day: longer timers overflow at 24 days. */
const MAX_FLUSH_SECONDS = 86_400

export class TokenService {
  readonly #store: Store
  readonly #users: UserSource
  readonly #clock: Clock
  readonly #policies: ReadonlyMap<string, TokenPolicy>
  readonly #issuer: TokenIssuer
  readonly #sealed: SealedSecrets
  readonly #verifier: TokenVerifier

  constructor(options: TokenServiceOptions) {
    const { store, users, keyring, clock, cacheEntries = 50_000, emit = () => undefined } = options
    const { lastUsedFlushSeconds: flushSeconds = 30, onTrouble = () => undefined } = options
    if (!(flushSeconds > 0 && flushSeconds <= MAX_FLUSH_SECONDS))
      throw new TypeError(`lastUsedFlushSeconds: must be above 0, and at most ${MAX_FLUSH_SECONDS}`)
    this.#store = store
    this.#users = users
    this.#clock = clock
    this.#policies = policyTable(options.policies ?? [])
    this.#sealed = new SealedSecrets(store.tokens, new Sealer(keyring, store))
    this.#issuer = new TokenIssuer({ store, users, sealed: this.#sealed, clock })
    this.#verifier = new TokenVerifier({
      store,
      users,
      clock,
      policies: this.#policies,
      cacheEntries,
      emit,
      flushSeconds,
      onTrouble,
    })
  }

  /**
   * Issues a new token: the tutorial's `Token.objects.create(user=...)`.
   * Throws `token_exists` when the policy allows one per user and there is one, `token_limit_reached` when the user has
   * as many as the policy allows (exact under concurrency, across processes), `not_found` for an unknown user,
   * `authentication_failed` where `login.login()` returned the user and access was narrowed since that login began, and
   * `invalid` for a scope that is none or that the owner does not have, an address that is none, and a lifetime beyond
   * the policy's.
   */
  async issue(options: IssueOptions): Promise<IssuedToken> {
    const own = checkIssueOptions('tokens.issue', options)
    const policy = this.#policy(own.policy)
    return this.#insertNew(policy, own, newSecretText(policy), policy.limitPerUser)
  }

  /**
   * The user's token of a policy that allows one, issued now if there is none: DRF's `get_or_create`. Any number of
   * concurrent calls, in any number of processes, get the same secret. An expired one makes room for a new one.
   */
  async getOrCreate(options: IssueOptions): Promise<IssuedToken & { readonly created: boolean }> {
    const own = checkIssueOptions('tokens.getOrCreate', options)
    const policy = this.#policy(own.policy)
    if (!policy.onePerUser || !policy.shownAgain) {
      throw new TypeError(`policy: ${policy.name} does not have one token per user that is shown again`)
    }
    for (;;) {
      const text = newSecretText(policy)
      const { kind, token } = await this.#issuer.insert(policy, own, text, policy.limitPerUser)
      if (kind === 'created') return { token: toToken(token), secret: new TokenSecret(text), created: true }
      const { id, expiresAt } = token
      if (expiresAt === null || expiresAt.getTime() > this.#clock.nowMs()) {
        return { token: toToken(token), secret: await this.#sealed.open(token), created: false }
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
    const { secret, ...others } = options
    const own = checkIssueOptions('tokens.import', others)
    checkValue('secret', secret, IMPORTED_SECRET)
    if (this.#verifier.isMalformed(secret))
      throw new TypeError('secret: begins as one of our own and is none, so it could never be verified')
    // The previous secret of a rotated token is not taken twice either.
    if ((await this.#store.tokens.findByDigest(digestBytes(digestKey(secret)))) !== null)
      throw new LatchkeyError('token_exists')
    return this.#insertNew(this.#policy(own.policy), own, secret, null)
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
   * @param caller where the secret came from; without it a token that may only come from some addresses is refused
   */
  verify(
    secret: string,
    accepted?: ReadonlySet<string>,
    caller: Caller | null = null,
  ): TokenIdentity | Promise<TokenIdentity> {
    return this.#verifier.verify(secret, accepted, caller)
  }

  /**
   * `verify` for a secret that stands at the end of a text, a header with its keyword. What is remembered of it is found
   * by the text as it came: a copy of the secret alone would cost as much as all the rest.
   *
   * @param text up to its end; what stands before the secret the caller has checked
   * @param secretStart index of the secret's first character, from 1
   * @returns undefined when what stands there is not printable ASCII without blanks, and so is no secret
   */
  verifyBehind(
    text: string,
    secretStart: number,
    accepted: ReadonlySet<string> | undefined,
    caller: Caller | null,
  ): TokenIdentity | Promise<TokenIdentity> | undefined {
    return this.#verifier.verifyBehind(text, secretStart, accepted, caller)
  }

  /**
   * Gives a token a new secret and keeps everything else; its id stays. The old secret works for `overlapSeconds` more,
   * and the uses of each are counted apart, so that whoever still has the old one can be found. A secret from an
   * earlier rotation ends now.
   * Throws `not_found`; `conflict` when somebody rotated it at the same time; `invalid` for a lifetime beyond the policy's.
   */
  async rotate(token: Token | number, options: RotateOptions = {}): Promise<IssuedToken> {
    checkOptions('tokens.rotate', options, ROTATE_RULES)
    const { overlapSeconds = 86_400, ttlSeconds } = options
    const record = await this.#findLive(token)
    if (record === null) throw new LatchkeyError('not_found')
    const policy = this.#policy(record.policy)
    const text = newSecretText(policy)
    const digest = digestBytes(digestKey(text))
    const nowMs = this.#clock.nowMs()
    const rotated = await this.#store.tokens.rotate(record.id, {
      expected: record.digest,
      digest,
      hint: hintOf(policy, text),
      sealed: policy.shownAgain ? await this.#sealed.seal(text, { ...record, digest }) : null,
      ...(ttlSeconds !== undefined && { expiresAt: expiryOf(policy, ttlSeconds, nowMs) }),
      previousEndsAt: new Date(nowMs + overlapSeconds * 1000),
    })
    if (rotated === null)
      throw new LatchkeyError((await this.get(record.id)) === null ? 'not_found' : 'conflict')
    return { token: toToken(rotated), secret: new TokenSecret(text) }
  }

  /**
   * Ends the overlap of a rotation now: the previous secret is refused from the moment this resolves. False when there
   * was none. Throws `conflict` where `ifQuiet` asks and it was used within the last hour: somebody would be cut off.
   */
  async finishRotation(token: Token | number, options: FinishOptions = {}): Promise<boolean> {
    checkOptions('tokens.finishRotation', options, { ifQuiet: BOOLEAN })
    const { ifQuiet = false } = options
    const record = await this.#store.tokens.findById(idOfToken(token))
    if (record === null || record.previous === null) return false
    const [listed] = ifQuiet ? await this.#listed([record]) : []
    const use = listed?.previousUse
    if (use?.lastUsedAt && use.lastUsedAt.getTime() > this.#clock.nowMs() - QUIET_MS) {
      const where = use.lastUsedAddress === null ? '' : ` from ${use.lastUsedAddress}`
      const message = `The previous secret is still in use: at ${use.lastUsedAt.toISOString()}${where}.`
      throw new LatchkeyError('conflict', { message })
    }
    // Only the one that was judged: a rotation meanwhile has made another one the previous.
    return this.#store.tokens.dropPrevious(record.id, record.previous.digest)
  }

  /**
   * Changes what a token is called, may be used for, and where from. It counts from the moment this resolves. False when
   * there is no such token. Throws `invalid` as `issue` does.
   */
  async update(token: Token | number, changes: TokenWishes): Promise<boolean> {
    const record = await this.#findLive(token)
    if (record === null) return false
    const policy = this.#policy(record.policy)
    return this.#store.tokens.update(record.id, await this.#issuer.changes(policy, record, changes))
  }

  /** The secret of a token whose policy shows it again. Throws `not_found`; `sealing_key_missing` if it cannot be opened. */
  async reveal(token: Token | number): Promise<TokenSecret> {
    const record = await this.#store.tokens.findById(idOfToken(token))
    if (record === null) throw new LatchkeyError('not_found')
    return this.#sealed.open(record)
  }

  /** The token with this id, or null. */
  async get(id: number): Promise<ListedToken | null> {
    const record = await this.#store.tokens.findById(idOfToken(id))
    const [token = null] = record === null ? [] : await this.#listed([record])
    return token
  }

  /** Tokens ordered by id, all of them or a user's, a policy's, a page's, with their uses. Never a secret. */
  async list(page: TokenPage = {}): Promise<readonly ListedToken[]> {
    const filter = filterOfPage('tokens.list', page)
    const { afterId, limit } = page
    const records = await this.#store.tokens.list(filter, {
      ...(afterId === undefined ? {} : { afterId }),
      ...(limit === undefined ? {} : { limit }),
    })
    return this.#listed(records)
  }

  /** Revokes one token. From the moment this resolves it is refused. False when there was none. */
  async revoke(token: Token | number): Promise<boolean> {
    return this.#store.tokens.delete(idOfToken(token))
  }

  /**
   * Revokes all tokens that fit, of a user, a policy or a hint; returns how many there were. A user's are those of every
   * spelling of the id, `42` and `'42'`, and of the id that the source of users has for it. Logins of that user that are
   * under way create no token after this.
   */
  async revokeAll(selection: TokenSelection): Promise<number> {
    const filter = filterOfSelection('tokens.revokeAll', selection)
    if (Object.keys(filter).length === 0) throw new TypeError('revokeAll: name a user, a policy or a hint')
    const { userId } = filter
    if (userId === undefined || typeof userId === 'object') return this.#store.tokens.deleteMany(filter)
    const spellings = userIdSpellings(userId)
    const deleted = await this.#store.tokens.deleteMany({ ...filter, userId: spellings })
    const record = this.#users === this.#store.users ? null : await this.#users.findById(userId)
    if (record === null || spellings.includes(record.id)) return deleted
    return deleted + (await this.#store.tokens.deleteMany({ ...filter, userId: userIdSpellings(record.id) }))
  }

  /**
   * Writes the uses that are only counted in memory so far; `Latchkey.close()` does. Rejects with `store_unavailable`,
   * and keeps them then.
   */
  flushUses(): Promise<void> {
    return this.#verifier.flushUses()
  }

  /**
   * Seals everything under the newest key again, after which older secrets can go. Safe to stop, to repeat, and to run
   * beside servers. Returns how many tokens were sealed anew and how many no secret at hand could open.
   */
  reseal(): Promise<{ readonly resealed: number; readonly unopened: number }> {
    return this.#sealed.resealAll()
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
    const { kind, token } = await this.#issuer.insert(policy, options, text, limitPerUser)
    if (kind === 'existing') throw new LatchkeyError('token_exists')
    return { token: toToken(token), secret: new TokenSecret(text) }
  }

  /** With their uses; those that this process has only counted so far are written first. */
  async #listed(records: readonly TokenRecord[]): Promise<readonly ListedToken[]> {
    // What cannot be written now is kept and tried again; it does not keep anybody from reading.
    await this.#verifier.flushUses().catch(() => undefined)
    const uses = new Map<number, TokenUse[]>()
    // A statement has room for so many ids only.
    for (let from = 0; from < records.length; from += 500) {
      const ids = records.slice(from, from + 500).map(({ id }) => id)
      for (const use of await this.#store.tokens.listUses(ids)) {
        const known = uses.get(use.tokenId)
        if (known === undefined) uses.set(use.tokenId, [use])
        else known.push(use)
      }
    }
    return records.map((record) => toListedToken(record, uses.get(record.id) ?? []))
  }

  /** Null for one that has expired: no change brings its secrets back, whether or not its row is still there. */
  async #findLive(token: Token | number): Promise<TokenRecord | null> {
    const record = await this.#store.tokens.findById(idOfToken(token))
    const expiresAtMs = record?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    return expiresAtMs > this.#clock.nowMs() ? record : null
  }

  #policy(name: string = AUTHTOKEN.name): TokenPolicy {
    const policy = this.#policies.get(name)
    if (policy === undefined) {
      throw new TypeError(`policy: there is no '${name}', only ${[...this.#policies.keys()].join(', ')}`)
    }
    return policy
  }
}

/** @throws TypeError for anything that is no token and no id */
function idOfToken(token: Token | number): number {
  const id = typeof token === 'object' ? token?.id : token
  checkValue('token', id, TOKEN_ID)
  return id
}

/** The rules under which tokens are issued and changed: scopes, addresses, lifetimes, limits. A part of the token service. */
import type { Clock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import { type User, type UserId, userIdOf } from '../identity.js'
import { ANYTHING, checkOptions, type Rules, required, rule, TEXT } from '../options.js'
import type { NewTokenRecord, Store, TokenChanges, TokenRecord, UserSource } from '../stores/store.js'
import { loginBasisOf, staleLogin } from '../users/login-basis.js'
import { toUser } from '../users/user.js'
import { parseAllowedAddresses } from './allowed-addresses.js'
import { isSubset, parseScopes } from './scopes.js'
import type { SealedSecrets } from './sealed-secrets.js'
import { digestBytes, digestKey } from './token-digest.js'
import { hintOf, ownedScopes, TOKEN_POLICY_RULES, type TokenPolicy } from './token-policy.js'

export interface TokenIssuerOptions {
  readonly store: Store
  readonly users: UserSource
  readonly sealed: SealedSecrets
  readonly clock: Clock
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
  /** What it may be used for, never more than its owner; null: whatever its owner may. Default is null. */
  readonly scopes?: readonly string[] | null
  /** Addresses and CIDR ranges it may come from; null: any. Default is null. */
  readonly allowedAddresses?: readonly string[] | null
}

/** What `TokenService.update` may change. */
export type TokenWishes = Pick<IssueOptions, 'name' | 'scopes' | 'allowedAddresses' | 'ttlSeconds'>

const WISH_RULES: Rules<TokenWishes> = Object.freeze({
  name: TEXT,
  ttlSeconds: TOKEN_POLICY_RULES.ttlSeconds,
  // A caller's own words, mostly: `invalid` tells what is wrong with them.
  scopes: ANYTHING,
  allowedAddresses: ANYTHING,
})

const ISSUE_RULES: Rules<IssueOptions> = Object.freeze({
  ...WISH_RULES,
  user: required(rule('be a user, or the id of one', (value) => value !== null)),
  policy: TEXT,
})

/** @throws TypeError that names the option */
export function checkIssueOptions(call: string, options: IssueOptions): IssueOptions {
  return checkOptions(call, options, ISSUE_RULES)
}

export class TokenIssuer {
  readonly #store: Store
  readonly #users: UserSource
  readonly #sealed: SealedSecrets
  readonly #clock: Clock

  constructor({ store, users, sealed, clock }: TokenIssuerOptions) {
    this.#store = store
    this.#users = users
    this.#sealed = sealed
    this.#clock = clock
  }

  /**
   * Stores a token with this secret, or finds the one that the user may have. Throws `invalid`, `token_exists`,
   * `token_limit_reached`, `not_found`, `sealing_key_missing`, and `authentication_failed` for a login since which access
   * was narrowed.
   */
  async insert(policy: TokenPolicy, options: IssueOptions, text: string, limitPerUser: number | null) {
    const { ttlSeconds = policy.ttlSeconds, scopes = null, allowedAddresses = null } = options
    const digest = digestBytes(digestKey(text))
    const nowMs = this.#clock.nowMs()
    const userId = userIdOf(options.user)
    const basis = loginBasisOf(options.user, this.#store.access)
    const record: NewTokenRecord = {
      policy: policy.name,
      userId,
      digest,
      hint: hintOf(policy, text),
      sealed: policy.shownAgain
        ? await this.#sealed.seal(text, { policy: policy.name, userId, digest })
        : null,
      name: options.name ?? '',
      scopes: await this.#checkedScopes(policy, userId, scopes),
      allowedAddresses: allowedAddresses && parseAllowedAddresses(allowedAddresses),
      createdAt: new Date(nowMs),
      expiresAt: expiryOf(policy, ttlSeconds, nowMs),
      onePerUser: policy.onePerUser,
      limitPerUser,
    }
    const inserted = await this.#store.tokens.insertOrGet(record, basis)
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
      case 'stale':
        throw staleLogin()
    }
  }

  /** What a change of these means for the row. Throws `invalid`, `not_found`. */
  async changes(policy: TokenPolicy, { userId }: TokenRecord, wishes: TokenWishes): Promise<TokenChanges> {
    const own = checkOptions('tokens.update', wishes, WISH_RULES)
    const { name, scopes, allowedAddresses, ttlSeconds } = own
    return {
      ...(name !== undefined && { name }),
      ...(scopes !== undefined && { scopes: await this.#checkedScopes(policy, userId, scopes) }),
      ...(allowedAddresses !== undefined && {
        allowedAddresses: allowedAddresses && parseAllowedAddresses(allowedAddresses),
      }),
      ...(ttlSeconds !== undefined && { expiresAt: expiryOf(policy, ttlSeconds, this.#clock.nowMs()) }),
    }
  }

  /** Scopes that are ones, and no more than the owner has. */
  async #checkedScopes(
    policy: TokenPolicy,
    userId: UserId,
    scopes: readonly string[] | null,
  ): Promise<readonly string[] | null> {
    if (scopes === null) return null
    const parsed = parseScopes(scopes, policy.isKnownScope ?? undefined)
    if (policy.ownerScopes === null) return parsed
    const record = await this.#users.findById(userId)
    if (record === null) throw new LatchkeyError('not_found')
    if (!isSubset(parsed, ownedScopes(policy, toUser(record)))) {
      throw new LatchkeyError('invalid', {
        fields: { scopes: ['The owner does not have all of these scopes.'] },
      })
    }
    return parsed
  }
}

/** When a token ends that is given this lifetime now; null: never. */
export function expiryOf(
  { maxTtlSeconds }: TokenPolicy,
  ttlSeconds: number | null,
  nowMs: number,
): Date | null {
  if (maxTtlSeconds !== null && (ttlSeconds === null || ttlSeconds > maxTtlSeconds)) {
    const message = `Ensure that the token ends within ${maxTtlSeconds} seconds.`
    throw new LatchkeyError('invalid', { fields: { expires_in: [message] } })
  }
  return ttlSeconds === null ? null : new Date(nowMs + ttlSeconds * 1000)
}

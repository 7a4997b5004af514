/** The named rows of rules that tokens follow: one table, read by the token service. */
import { randomHex } from '../crypto/random.js'
import type { User } from '../identity.js'
import {
  ABOVE_0,
  allRequired,
  BOOLEAN,
  checkAnswer,
  checkOptions,
  checkValue,
  FUNCTION,
  numberRule,
  OPTIONS,
  orNull,
  type Rules,
  required,
  rule,
  TEXT,
  TEXTS,
  wholeNumber,
} from '../options.js'
import { newFormattedSecret, type SecretFormat, secretPrefix } from './token-format.js'

/** How use keeps a token alive: knox's AUTO_REFRESH. */
export interface TokenRenewal {
  /** A use renews only if that adds more than this: what bounds the writes. */
  readonly minIntervalSeconds: number
  /** No renewal goes beyond this long after the token was issued; null: it can live for ever. */
  readonly maxTtlSeconds: number | null
}

/** Everything the token service needs to know about one kind of token. */
export interface TokenPolicy {
  readonly name: string
  /** What every secret begins with. Tokens from before it was set stay valid: they are found by their digest. */
  readonly prefix: string
  /** Hex digits after the prefix, 4 random bits each; unused where there is a `format`. */
  readonly hexDigits: number
  /** `lk_<kind>_<base62 secret><checksum>`: a mistyped secret is refused without a look at the store. Null: hex. */
  readonly format: SecretFormat | null
  /** One token per user: asking again gives the same one. */
  readonly onePerUser: boolean
  /** The secret is kept sealed, so that it can be shown again. */
  readonly shownAgain: boolean
  /** Lifetime in seconds; null: for ever; zero or less: expired from the start. */
  readonly ttlSeconds: number | null
  /** No token lives longer, whatever is asked for; null: any lifetime. */
  readonly maxTtlSeconds: number | null
  /** Live tokens that a user may have, those that never expire not counted; null: any number. */
  readonly limitPerUser: number | null
  /** Null: a token ends when it was going to. */
  readonly renewal: TokenRenewal | null
  /** Which scopes exist: a token is issued for no others. Null: whatever can be written. */
  readonly isKnownScope: ((scope: string) => boolean) | null
  /** Each use is counted with its time and address, in memory first and in batches in the store. */
  readonly tracksUse: boolean
  /**
   * What the owner may do, in scopes; null: anything. A token is never issued for more, and a verified one never has
   * more, whatever it was issued for. Pure and cheap: asked once per look-up. Null: scopes are not compared.
   */
  readonly ownerScopes: ((user: User) => readonly string[] | null) | null
}

/** DRF's `rest_framework.authtoken`: 40 lower-case hex digits (160 bits), one per user, shown at every login. */
export const AUTHTOKEN: TokenPolicy = Object.freeze({
  name: 'authtoken',
  prefix: '',
  hexDigits: 40,
  format: null,
  onePerUser: true,
  shownAgain: true,
  ttlSeconds: null,
  maxTtlSeconds: null,
  limitPerUser: null,
  renewal: null,
  isKnownScope: null,
  tracksUse: false,
  ownerScopes: null,
})

/** Fewer than 128 random bits could be guessed one day. */
export const MIN_HEX_DIGITS = 32
const MAX_HEX_DIGITS = 1024
const HEX_DIGITS = wholeNumber(MIN_HEX_DIGITS, MAX_HEX_DIGITS)

/** What names a policy. */
export const POLICY_NAME = rule(
  'be a word of a-z, 0-9, - and _',
  (value) => typeof value === 'string' && /^[a-z][a-z0-9_-]*$/.test(value),
)

const OWNER_SCOPES = orNull(TEXTS)

const POLICY_NAME_OF_EACH = rule('be policies, each with a name, such as knox().policy', TEXT.holds)

const RENEWAL: Rules<TokenRenewal> = allRequired({
  minIntervalSeconds: numberRule(0),
  maxTtlSeconds: orNull(ABOVE_0),
})

/** What each field must be; options that become one are checked by the same rule. */
export const TOKEN_POLICY_RULES: Rules<TokenPolicy> = Object.freeze({
  name: POLICY_NAME,
  prefix: rule(
    'be up to 64 characters of printable ASCII without blanks',
    (value) => typeof value === 'string' && /^[\x21-\x7e]{0,64}$/.test(value),
  ),
  hexDigits: rule(
    `be an even number from ${MIN_HEX_DIGITS} to ${MAX_HEX_DIGITS}`,
    (value) => HEX_DIGITS.holds(value) && Number(value) % 2 === 0,
  ),
  format: orNull(OPTIONS),
  onePerUser: BOOLEAN,
  shownAgain: BOOLEAN,
  ttlSeconds: orNull(rule('be a number', Number.isFinite)),
  maxTtlSeconds: orNull(ABOVE_0),
  limitPerUser: orNull(wholeNumber(1)),
  renewal: orNull(OPTIONS),
  isKnownScope: orNull(FUNCTION),
  tracksUse: BOOLEAN,
  ownerScopes: orNull(FUNCTION),
})

/**
 * The table of a service: the built-in policy and more of them.
 * @throws TypeError that names the policy and the field which cannot work
 */
export function policyTable(more: readonly TokenPolicy[]): ReadonlyMap<string, TokenPolicy> {
  const table = new Map([[AUTHTOKEN.name, AUTHTOKEN]])
  for (const policy of more) {
    checkValue('policies', policy?.name, required(POLICY_NAME_OF_EACH))
    checkOptions('a policy', policy, allRequired(TOKEN_POLICY_RULES), `policies.${policy?.name}.`)
    if (policy.renewal !== null)
      checkOptions('a policy', policy.renewal, RENEWAL, `policies.${policy.name}.renewal.`)
    if (table.has(policy.name)) throw new TypeError(`policies: '${policy.name}' is there twice`)
    const shadow = [...table.values()].find((other) => shadows(other, policy) || shadows(policy, other))
    if (shadow !== undefined)
      throw new TypeError(`policies: secrets of '${policy.name}' begin as those of '${shadow.name}' do`)
    table.set(policy.name, Object.freeze({ ...policy }))
  }
  return table
}

/** Whether secrets of `other` would be taken for mistyped ones of a policy that has a format. */
function shadows({ format }: TokenPolicy, other: TokenPolicy): boolean {
  return format !== null && other.prefix.startsWith(secretPrefix(format))
}

/** What the owner may do under a policy; null: anything. A function that gives nothing has said "nothing", not "anything". */
export function ownedScopes({ name, ownerScopes }: TokenPolicy, user: User): readonly string[] | null {
  if (ownerScopes === null) return null
  const owned: unknown = ownerScopes(user)
  if (owned === undefined) return []
  checkAnswer(`policies.${name}.ownerScopes()`, owned, OWNER_SCOPES)
  return owned as readonly string[] | null
}

/** A new secret under a policy. */
export function newSecretText(policy: TokenPolicy): string {
  return policy.format === null
    ? policy.prefix + randomHex(policy.hexDigits)
    : newFormattedSecret(policy.format)
}

/** What people see of a secret: the prefix, where it has it, and the last four characters. */
export function hintOf({ prefix }: TokenPolicy, secret: string): string {
  return `${secret.startsWith(prefix) ? prefix : ''}…${secret.slice(-4)}`
}

/** When a token with this life so far would end if it were used now, in milliseconds; null: not later than it does. */
export function renewedExpiryMs(
  { ttlSeconds, renewal }: TokenPolicy,
  { createdAt, expiresAt }: { readonly createdAt: Date; readonly expiresAt: Date | null },
  nowMs: number,
): number | null {
  if (ttlSeconds === null || renewal === null || expiresAt === null) return null
  const wishedMs = Math.trunc(nowMs + ttlSeconds * 1000)
  const renewedMs = Math.min(wishedMs, lastExpiryMs(renewal, createdAt))
  return renewedMs - expiresAt.getTime() > renewal.minIntervalSeconds * 1000 ? renewedMs : null
}

/** The moment after which `renewedExpiryMs` is not null any more, in milliseconds; `Infinity`: never. */
export function renewAfterMs(
  { ttlSeconds, renewal }: TokenPolicy,
  { createdAt, expiresAt }: { readonly createdAt: Date; readonly expiresAt: Date | null },
): number {
  if (ttlSeconds === null || renewal === null || expiresAt === null) return Number.POSITIVE_INFINITY
  const worthMs = expiresAt.getTime() + renewal.minIntervalSeconds * 1000
  return lastExpiryMs(renewal, createdAt) > worthMs ? worthMs - ttlSeconds * 1000 : Number.POSITIVE_INFINITY
}

function lastExpiryMs({ maxTtlSeconds }: TokenRenewal, createdAt: Date): number {
  return maxTtlSeconds === null
    ? Number.POSITIVE_INFINITY
    : Math.trunc(createdAt.getTime() + maxTtlSeconds * 1000)
}

/** The named rows of rules that tokens follow: one table, read by the token service. */
import { randomHex } from '../crypto/random.js'
import type { User } from '../identity.js'
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

/** Field -> what it must be, and whether it is. */
const RULES: ReadonlyArray<readonly [keyof TokenPolicy, must: string, (policy: TokenPolicy) => boolean]> = [
  ['name', 'be a word of a-z, 0-9, - and _', ({ name }) => /^[a-z][a-z0-9_-]*$/.test(name)],
  ['prefix', 'be printable ASCII without blanks', ({ prefix }) => /^[\x21-\x7e]{0,64}$/.test(prefix)],
  [
    'hexDigits',
    `be even, ${MIN_HEX_DIGITS} to ${MAX_HEX_DIGITS}`,
    ({ hexDigits }) => hexDigits % 2 === 0 && hexDigits >= MIN_HEX_DIGITS && hexDigits <= MAX_HEX_DIGITS,
  ],
  [
    'ttlSeconds',
    'be a number or null',
    ({ ttlSeconds }) => ttlSeconds === null || Number.isFinite(ttlSeconds),
  ],
  [
    'maxTtlSeconds',
    'be above 0, or null',
    ({ maxTtlSeconds }) => maxTtlSeconds === null || (isSeconds(maxTtlSeconds) && maxTtlSeconds > 0),
  ],
  [
    'limitPerUser',
    'be 1 or more, or null',
    ({ limitPerUser }) => limitPerUser === null || (Number.isSafeInteger(limitPerUser) && limitPerUser >= 1),
  ],
  [
    'renewal',
    'have a minIntervalSeconds of 0 or more and a maxTtlSeconds above 0 or null',
    ({ renewal }) =>
      renewal === null ||
      (isSeconds(renewal.minIntervalSeconds) &&
        (renewal.maxTtlSeconds === null || (isSeconds(renewal.maxTtlSeconds) && renewal.maxTtlSeconds > 0))),
  ],
]

/**
 * The table of a service: the built-in policy and more of them.
 * @throws TypeError that names the policy and the field which cannot work
 */
export function policyTable(more: readonly TokenPolicy[]): ReadonlyMap<string, TokenPolicy> {
  const table = new Map([[AUTHTOKEN.name, AUTHTOKEN]])
  for (const policy of more) {
    for (const [field, must, holds] of RULES) {
      if (!holds(policy)) throw new TypeError(`policies: ${field} of '${policy.name}' must ${must}`)
    }
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
export function ownedScopes({ ownerScopes }: TokenPolicy, user: User): readonly string[] | null {
  if (ownerScopes === null) return null
  const owned = ownerScopes(user)
  return owned === undefined ? [] : owned
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

function isSeconds(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

/** What callers of the personal tokens' views send and get: members, checked one by one, and times as texts. */
import { LatchkeyError } from '../errors.js'
import { parseAllowedAddresses } from '../tokens/allowed-addresses.js'
import { parseScopes } from '../tokens/scopes.js'
import type { ListedToken, SecretUse, Token } from '../tokens/token.js'
import type { IssueOptions } from '../tokens/token-issuer.js'
import type { TokenPolicy } from '../tokens/token-policy.js'
import type { IssuedToken, RotateOptions } from '../tokens/token-service.js'
import { type BodyFields, readBodyFields } from '../views/body-fields.js'

/** What a caller may say about a new token; what it leaves out is the policy's to say. */
export function readCreation(
  data: unknown,
  policy: TokenPolicy,
): Pick<IssueOptions, 'name' | 'scopes' | 'allowedAddresses' | 'ttlSeconds'> {
  const body = readBodyFields(data, ['name', 'scopes', 'expires_in', 'allowed_addresses'])
  const { scopes = null, allowed_addresses: addresses = null } = body
  return {
    name: nameOf(body),
    scopes: scopes === null ? null : parseScopes(scopes),
    allowedAddresses: addresses === null ? null : parseAllowedAddresses(addresses),
    ...lifetimeOf(body, policy),
  }
}

/** What a caller may say about a rotation. */
export function readRotation(data: unknown, policy: TokenPolicy): RotateOptions {
  const body = readBodyFields(data, ['overlap_seconds', 'expires_in'])
  const overlapSeconds = secondsOf(body, 'overlap_seconds', 0)
  return { ...(overlapSeconds !== null && { overlapSeconds }), ...lifetimeOf(body, policy) }
}

/** `?after=<id>&limit=<number>`, both optional. */
export function readPage(query: URLSearchParams): { readonly afterId: number; readonly limit: number } {
  return {
    afterId: pageNumber(query, 'after', Number.MAX_SAFE_INTEGER) ?? 0,
    limit: pageNumber(query, 'limit', MAX_PAGE) ?? MAX_PAGE,
  }
}

const MAX_PAGE = 100

function pageNumber(query: URLSearchParams, name: string, max: number): number | null {
  const text = query.get(name)
  if (text === null) return null
  const number = /^\d{1,16}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= max) return number
  throw invalid(name, `Must be a whole number from 1 to ${max}.`)
}

const MAX_NAME_LENGTH = 100

/** What a name must not be, and whether it is; the first that fits is told. */
const NAME_FAULTS: ReadonlyArray<readonly [message: string, has: (name: string) => boolean]> = [
  ['This field may not be blank.', (name) => name === ''],
  [
    `Ensure this field has no more than ${MAX_NAME_LENGTH} characters.`,
    (name) => [...name].length > MAX_NAME_LENGTH,
  ],
  ['Control characters are not allowed.', (name) => /\p{Cc}/u.test(name)],
  // No database keeps them as they are.
  ['Surrogate characters are not allowed.', (name) => /\p{Surrogate}/u.test(name)],
]

function nameOf({ name }: BodyFields<'name'>): string {
  if (name === undefined) throw invalid('name', 'This field is required.')
  if (typeof name !== 'string') throw invalid('name', 'Not a valid string.')
  const trimmed = name.trim()
  for (const [message, has] of NAME_FAULTS) if (has(trimmed)) throw invalid('name', message)
  return trimmed
}

/** `expires_in`, where the body has it; null is for ever, which would get past a limit that counts what ends. */
function lifetimeOf(
  body: BodyFields<'expires_in'>,
  { limitPerUser }: TokenPolicy,
): { readonly ttlSeconds?: number | null } {
  if (body.expires_in === undefined) return {}
  const ttlSeconds = secondsOf(body, 'expires_in', 1)
  if (ttlSeconds === null && limitPerUser !== null) throw invalid('expires_in', 'This field may not be null.')
  return { ttlSeconds }
}

/** A hundred years: no date of any database is beyond it. */
const MAX_SECONDS = 100 * 366 * 86_400

/** Whole seconds; null where the body has null or nothing. Form fields come as text. */
function secondsOf<Name extends string>(body: BodyFields<Name>, name: Name, min: number): number | null {
  const value = body[name] ?? null
  if (value === null) return null
  const number = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value
  if (Number.isSafeInteger(number) && Number(number) >= min && Number(number) <= MAX_SECONDS)
    return Number(number)
  throw invalid(name, `Must be a whole number of seconds from ${min} to ${MAX_SECONDS}.`)
}

function invalid(name: string, message: string): LatchkeyError {
  return new LatchkeyError('invalid', { fields: { [name]: [message] } })
}

/** A token with its secret: the one answer that has it. */
export function issuedJson({ token, secret }: IssuedToken) {
  return { ...tokenJson(token), token: secret.reveal() }
}

/** A token as lists show it, the uses of each of its secrets apart. */
export function listedJson({ use, previousUse, ...token }: ListedToken) {
  const { previous, ...fields } = tokenJson(token)
  return {
    ...fields,
    ...useJson(use),
    previous: previous && { ...previous, ...(previousUse && useJson(previousUse)) },
  }
}

function tokenJson({ id, name, hint, scopes, allowedAddresses, createdAt, expiresAt, previous }: Token) {
  return {
    id,
    name,
    hint,
    scopes,
    allowed_addresses: allowedAddresses,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
    previous: previous && { hint: previous.hint, ends_at: previous.endsAt.toISOString() },
  }
}

function useJson({ count, lastUsedAt, lastUsedAddress }: SecretUse) {
  return {
    use_count: count,
    last_used_at: lastUsedAt?.toISOString() ?? null,
    last_used_address: lastUsedAddress,
  }
}

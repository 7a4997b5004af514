/** What the token commands share: finding tokens and their policies, and tokens as people and scripts see them. */
import {
  AUTHTOKEN,
  type IssuedToken,
  type Latchkey,
  type ListedToken,
  type SecretUse,
  type Token,
  type TokenPolicy,
  type User,
} from 'latchkey'
import { parseId } from './find-user.js'
import { CommandError, timeText } from './output.js'
import type { LoadedSettings } from './session.js'

/** What a command line may say about a new token; what it leaves out is the policy's to say. */
export interface TokenWishes {
  readonly name?: string
  readonly scopes?: readonly string[]
  readonly allowedAddresses?: readonly string[]
  readonly ttlSeconds?: number | null
}

/**
 * The user's token of a policy that allows one, issued now if there is none. With `reset` the old one is revoked first,
 * and from then on refused.
 */
export async function resetOrGet(
  latchkey: Latchkey,
  user: User,
  { reset, policy = AUTHTOKEN.name, ...wishes }: { reset: boolean; policy?: string } & TokenWishes,
): Promise<IssuedToken & { readonly created: boolean }> {
  const { tokens } = latchkey
  if (reset) {
    // A wish that cannot be granted is told before anything is revoked.
    for (const token of await tokens.list({ user, policy })) await tokens.update(token, wishes)
    await tokens.revokeAll({ user, policy })
  }
  return tokens.getOrCreate({ user, policy, ...wishes })
}

/** The policy with this name. Throws `CommandError` that names those there are. */
export function findPolicy({ config }: LoadedSettings, name: string): TokenPolicy {
  const policies = [AUTHTOKEN, ...(config.policies ?? [])]
  const policy = policies.find((one) => one.name === name)
  if (policy !== undefined) return policy
  const names = policies.map((one) => one.name).join(', ')
  throw new CommandError(
    `there is no policy '${name}', only ${names}: others are \`policies\` of latchkey.config.ts`,
  )
}

/** The token that a command line names. Throws `CommandError`. */
export async function findToken(latchkey: Latchkey, id: string): Promise<ListedToken> {
  const token = await latchkey.tokens.get(parseId(id))
  if (token === null) throw noToken(id)
  return token
}

export function noToken(id: string): CommandError {
  return new CommandError(`there is no token ${id}`)
}

/** Names of owners by id, for tables and documents. */
export function namesOf(users: readonly User[]): ReadonlyMap<unknown, string> {
  return new Map(users.map(({ id, username }) => [id, username]))
}

/** A token as `--json` prints one: never its secret. */
export function tokenJson(token: Token, username: string | undefined) {
  const { id, policy, userId, hint, name, scopes, allowedAddresses, createdAt, expiresAt, previous } = token
  const owner = { user: username ?? null, userId }
  return { id, ...owner, policy, hint, name, scopes, allowedAddresses, createdAt, expiresAt, previous }
}

/** The same with the uses of each of its secrets. */
export function listedTokenJson({ use, previousUse, ...token }: ListedToken, username: string | undefined) {
  const { previous, ...fields } = tokenJson(token, username)
  return {
    ...fields,
    ...useJson(use),
    previous: previous && { ...previous, ...(previousUse && useJson(previousUse)) },
  }
}

function useJson({ count, lastUsedAt, lastUsedAddress }: SecretUse) {
  return { useCount: count, lastUsedAt, lastUsedAddress }
}

export interface TokenContext {
  readonly username: string | undefined
  /** An old secret whose end has come is none any more. */
  readonly nowMs: number
}

interface Column {
  readonly heading: string
  /** False: `show` has it, lists have no room. */
  readonly inLists: boolean
  readonly cell: (token: ListedToken, context: TokenContext) => string
}

/** What people see of a token, in this order. */
const COLUMNS: readonly Column[] = [
  { heading: 'ID', inLists: true, cell: ({ id }) => String(id) },
  { heading: 'USER', inLists: true, cell: ({ userId }, { username }) => username ?? `#${userId}` },
  { heading: 'POLICY', inLists: true, cell: ({ policy }) => policy },
  { heading: 'HINT', inLists: true, cell: ({ hint }) => hint },
  { heading: 'NAME', inLists: true, cell: ({ name }) => name || '-' },
  { heading: 'SCOPES', inLists: true, cell: ({ scopes }) => listText(scopes) },
  { heading: 'ADDRESSES', inLists: false, cell: ({ allowedAddresses }) => listText(allowedAddresses) },
  { heading: 'CREATED', inLists: true, cell: ({ createdAt }) => timeText(createdAt) },
  { heading: 'EXPIRES', inLists: true, cell: ({ expiresAt }) => timeText(expiresAt) },
  { heading: 'USES', inLists: false, cell: ({ use }) => countText(use) },
  { heading: 'LAST USED', inLists: true, cell: ({ use }) => useText(use) },
  { heading: 'OLD SECRET', inLists: true, cell: oldSecretText },
  { heading: 'OLD USES', inLists: false, cell: ({ previousUse }) => countText(previousUse) },
  { heading: 'OLD LAST USED', inLists: false, cell: ({ previousUse }) => useText(previousUse) },
]

const LIST_COLUMNS = COLUMNS.filter(({ inLists }) => inLists)

export const TOKEN_HEADINGS: readonly string[] = LIST_COLUMNS.map(({ heading }) => heading)

/** A token as a row under `TOKEN_HEADINGS`. */
export function tokenCells(token: ListedToken, context: TokenContext): readonly string[] {
  return LIST_COLUMNS.map(({ cell }) => cell(token, context))
}

/** Everything about one token, as pairs of heading and text; of an old secret only where there is one. */
export function tokenRows(
  token: ListedToken,
  context: TokenContext,
): ReadonlyArray<readonly [heading: string, text: string]> {
  const columns = COLUMNS.filter(({ heading }) => token.previous !== null || !heading.startsWith('OLD '))
  return columns.map(({ heading, cell }) => [heading, cell(token, context)])
}

/** Null is no restriction, and an empty list lets nothing through. */
function listText(texts: readonly string[] | null): string {
  return texts === null ? 'any' : texts.join(' ') || 'none'
}

/** Not every policy counts uses: 0 would say too much. */
function countText(use: SecretUse | null): string {
  return use === null || use.count === 0 ? '-' : String(use.count)
}

function useText(use: SecretUse | null): string {
  const { lastUsedAt = null, lastUsedAddress = null } = use ?? {}
  return lastUsedAddress === null ? timeText(lastUsedAt) : `${timeText(lastUsedAt)} ${lastUsedAddress}`
}

function oldSecretText({ previous }: ListedToken, { nowMs }: TokenContext): string {
  if (previous === null || previous.endsAt.getTime() <= nowMs) return '-'
  return `${previous.hint} until ${timeText(previous.endsAt)}`
}

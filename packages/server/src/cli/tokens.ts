/** What the token commands share: the token of a user, and tokens as people and scripts see them. */
import { AUTHTOKEN, type IssuedToken, type Latchkey, type Token, type User } from 'latchkey'
import { timeText } from './output.js'

/**
 * The user's token, issued now if there is none. With `reset` the old one is revoked first, and from then on refused.
 */
export async function resetOrGet(
  latchkey: Latchkey,
  user: User,
  { reset, name }: { readonly reset: boolean; readonly name?: string },
): Promise<IssuedToken & { readonly created: boolean }> {
  if (reset) await latchkey.tokens.revokeAll({ user, policy: AUTHTOKEN.name })
  return latchkey.tokens.getOrCreate({ user, ...(name === undefined ? {} : { name }) })
}

/** A token as `--json` prints one: never its secret. */
export function tokenJson(token: Token, username: string | undefined) {
  const { id, policy, userId, hint, name, createdAt, expiresAt } = token
  return { id, user: username ?? null, userId, policy, hint, name, createdAt, expiresAt }
}

export const TOKEN_HEADINGS = ['ID', 'USER', 'POLICY', 'HINT', 'NAME', 'CREATED', 'EXPIRES'] as const

/** A token as a row under `TOKEN_HEADINGS`. */
export function tokenCells(token: Token, username: string | undefined): readonly string[] {
  const { id, policy, userId, hint, name, createdAt, expiresAt } = token
  return [
    String(id),
    username ?? `#${userId}`,
    policy,
    hint,
    name || '-',
    timeText(createdAt),
    timeText(expiresAt),
  ]
}

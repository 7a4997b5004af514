/** An application's scopes, declared once: from then on a scope that does not exist does not compile. */
import { coverersOf, isScope, parseScopes } from '../tokens/scopes.js'
import { hasScope } from './has-scope.js'
import type { Permission } from './permission.js'

/** What a token can be granted where `S` is declared: `S`, `orders:*` for everything above one of them, `*`. */
export type GrantableScope<S extends string> = S | '*' | `${Resources<S>}:*`

/** `a.b:1:read` -> `a`, `a.b`, `a.b:1`. */
type Resources<S extends string> = S extends `${infer Name}:${infer Rest}`
  ? Names<Name> | Steps<Name, Rest>
  : never
type Names<Name extends string, Above extends string = ''> = Name extends `${infer First}.${infer Rest}`
  ? `${Above}${First}` | Names<Rest, `${Above}${First}.`>
  : `${Above}${Name}`
type Steps<Above extends string, Below extends string> = Below extends `${infer Step}:${infer Rest}`
  ? `${Above}:${Step}` | Steps<`${Above}:${Step}`, Rest>
  : never

export interface DefinedScopes<S extends string> {
  /** As they were declared: what people see where they choose. */
  readonly descriptions: Readonly<Record<S, string>>
  /** The permission `hasScope`, for declared scopes. */
  has(...required: readonly [S, ...S[]]): Permission<true>
  /** What to issue a token with: `scopes.grant('orders:*')`. */
  grant(...scopes: readonly GrantableScope<S>[]): readonly GrantableScope<S>[]
  /** Whether a text can be granted: for `personalTokens({ scopes })`, whose callers choose. */
  isKnown(scope: string): scope is GrantableScope<S>
  /** What a caller of your own view asks for. Throws `invalid` for the field `scopes` unless all of it can be granted. */
  parse(value: unknown): readonly GrantableScope<S>[]
}

/**
 * Scope -> what it allows, in words for those who grant it.
 *
 * @throws TypeError for a name that is no scope, or that is a wildcard: those follow from the others
 */
export function defineScopes<const S extends string>(
  descriptions: Readonly<Record<S, string>>,
): DefinedScopes<S> {
  const declared = Object.keys(descriptions)
  for (const scope of declared) {
    if (!isScope(scope) || isWildcard(scope)) throw new TypeError(`defineScopes: '${scope}' is not one scope`)
  }
  const grantable = new Set([...declared, ...declared.flatMap(coverersOf).filter(isWildcard)])
  const isKnown = (scope: string): scope is GrantableScope<S> => grantable.has(scope)
  const requireKnown = (call: string, scopes: readonly string[], isThere: (scope: string) => boolean) => {
    const wrong = scopes.find((scope) => !isThere(scope))
    if (wrong !== undefined) throw new TypeError(`${call}: there is no scope '${wrong}'`)
  }
  return Object.freeze({
    descriptions: Object.freeze({ ...descriptions }),
    has: (...required: readonly [S, ...S[]]) => {
      requireKnown('has', required, (scope) => declared.includes(scope))
      return hasScope(...required)
    },
    grant: (...scopes: readonly GrantableScope<S>[]) => {
      requireKnown('grant', scopes, isKnown)
      return Object.freeze([...new Set(scopes)])
    },
    isKnown,
    parse: (value: unknown) => Object.freeze(parseScopes(value, isKnown).filter(isKnown)),
  })
}

function isWildcard(scope: string): boolean {
  return scope.endsWith('*')
}

/**
 * What a token may be used for: how scopes are written, and which covers which. The token service checks what callers
 * ask for, permissions what they have. A leaf of `tokens/`.
 *
 * A scope is a word, which covers itself alone (`openid`), or a resource and an action (`orders:read`). Resources are
 * trees: `orders:read` covers `orders.items:read`, and `orders:123:read` with an id. `orders:*` covers every action
 * there, `*` everything.
 */
import { LatchkeyError } from '../errors.js'
import { BOOLEAN, checkAnswer } from '../options.js'

const MAX_SCOPE_LENGTH = 100
const MAX_SCOPES = 100

/**
 * A dotted name, more steps after colons, a `*` at the end or alone. The characters are those of RFC 6749, 3.3, less the
 * ones that mean something here. A `*` anywhere else is refused, because it would cover nothing.
 */
const SCOPE = /^(?:\*|[!#-)+\-,/-9;-[\]-~]+(?:\.[!#-)+\-,/-9;-[\]-~]+)*(?::[!#-)+\-,./-9;-[\]-~]+)*(?::\*)?)$/

/** Whether a text can be a scope: bounded, and in linear time. */
export function isScope(text: string): boolean {
  return text.length <= MAX_SCOPE_LENGTH && SCOPE.test(text)
}

/**
 * The scopes that a caller asks for, each once, in their order. An empty list is one: such a token is known, and may do
 * what needs no scope.
 *
 * @param isKnown what is accepted of all that can be written
 * @throws LatchkeyError `invalid` for the field `scopes`. It tells positions and no texts: what stands in the wrong
 *   place may be a secret.
 */
export function parseScopes(
  value: unknown,
  isKnown: (scope: string) => boolean = () => true,
): readonly string[] {
  if (!Array.isArray(value)) throw invalid(['Expected a list of items.'])
  if (value.length > MAX_SCOPES) throw invalid([`Ensure this field has no more than ${MAX_SCOPES} elements.`])
  const scopes = new Set<string>()
  const messages: string[] = []
  for (const [index, item] of value.entries()) {
    if (typeof item !== 'string' || !isScope(item)) {
      messages.push(`Item ${index + 1} is not a scope such as orders:read, orders:* or *.`)
    } else if (!isKnownBy(isKnown, item)) {
      messages.push(`Item ${index + 1} is not one of the scopes that exist here.`)
    } else {
      scopes.add(item)
    }
  }
  if (messages.length > 0) throw invalid(messages)
  return Object.freeze([...scopes])
}

function isKnownBy(isKnown: (scope: string) => boolean, scope: string): boolean {
  const answer = isKnown(scope)
  checkAnswer('isKnownScope()', answer, BOOLEAN)
  return answer
}

function invalid(messages: readonly string[]): LatchkeyError {
  return new LatchkeyError('invalid', { fields: { scopes: messages } })
}

/** Whether what was granted covers a scope. False for text that is no scope, whatever was granted. */
export type ScopeMatcher = (required: string) => boolean

/**
 * Compiles what a token was granted; what is no scope covers nothing. A question costs a few look-ups of texts that
 * exist already: nothing is cut or joined per request.
 *
 * A frozen list is compiled once for as long as it lives. Any other one may say something else the next time.
 */
export function scopeMatcher(granted: readonly string[]): ScopeMatcher {
  const known = matchers.get(granted)
  if (known !== undefined) return known
  const texts = new Set(granted)
  const matcher: ScopeMatcher = (required) => {
    for (const scope of coverersOf(required)) if (texts.has(scope)) return true
    return false
  }
  if (Object.isFrozen(granted)) matchers.set(granted, matcher)
  return matcher
}

const matchers = new WeakMap<readonly string[], ScopeMatcher>()

/**
 * The same list, frozen, and one object for all tokens that were granted the same: most of them share a few lists, which
 * then are compiled once and held once.
 */
export function sharedScopes(scopes: readonly string[]): readonly string[] {
  // Read once, whatever it is: callers may give a Set. With its length in front, no text is ever taken for two; JSON would
  // ask a `toJSON` that the program may have given to all arrays.
  const list = Object.freeze([...scopes])
  const key = list.map((scope) => `${scope.length}:${scope}`).join('')
  const known = lists.get(key)
  if (known !== undefined) return known
  if (lists.size >= MAX_REMEMBERED) lists.clear()
  lists.set(key, list)
  return list
}

const lists = new Map<string, readonly string[]>()

/** Whether everything that `granted` covers, `ofWhom` covers too. Null is no restriction: only null covers it. */
export function isSubset(granted: readonly string[] | null, ofWhom: readonly string[] | null): boolean {
  if (ofWhom === null) return true
  return granted?.every(scopeMatcher(ofWhom)) ?? false
}

/** What both lists cover, and nothing else: a token never has more than its owner. */
export function intersectScopes(some: readonly string[], others: readonly string[]): readonly string[] {
  const covers = scopeMatcher(others)
  const shared = some.flatMap((one) => (covers(one) ? one : others.flatMap((other) => meet(one, other))))
  return Object.freeze([...new Set(shared)])
}

/** The one scope for what two scopes both cover, the deeper resource with the narrower action; or none. */
function meet(one: string, other: string): string | readonly [] {
  if (coverersOf(one).includes(other)) return one
  if (coverersOf(other).includes(one)) return other
  return narrowed(one, other) ?? narrowed(other, one) ?? []
}

/** `a.b:*` within `a:read` is `a.b:read`. */
function narrowed(all: string, within: string): string | undefined {
  if (!all.endsWith(':*')) return undefined
  const both = all.slice(0, -1) + within.slice(within.lastIndexOf(':') + 1)
  return coverersOf(both).includes(within) ? both : undefined
}

/** Programs ask for few scopes, but some make them of ids. */
const MAX_REMEMBERED = 1000
const remembered = new Map<string, readonly string[]>()

/** The scopes that cover this one, itself first; none for what is no scope. */
export function coverersOf(scope: string): readonly string[] {
  const known = remembered.get(scope)
  if (known !== undefined) return known
  if (!isScope(scope)) return []
  const coverers = [...new Set([scope, ...coverersAbove(scope), '*'])]
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(scope, coverers)
  return coverers
}

/** `a.b:read` -> `a.b:read`, `a.b:*`, `a:read`, `a:*`. Dots make a tree of names only: an id may have some. */
function coverersAbove(scope: string): readonly string[] {
  const actionAt = scope.lastIndexOf(':')
  const coverers: string[] = []
  for (let end = actionAt; end > 0; end = lastSeparator(scope, end - 1)) {
    const resource = scope.slice(0, end)
    coverers.push(resource + scope.slice(actionAt), `${resource}:*`)
  }
  return coverers
}

function lastSeparator(scope: string, from: number): number {
  const colon = scope.lastIndexOf(':', from)
  return colon >= 0 ? colon : scope.lastIndexOf('.', from)
}

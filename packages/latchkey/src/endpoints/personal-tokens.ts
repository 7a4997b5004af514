/** Personal access tokens: many named, scoped, expiring tokens per user, whom they manage themselves. A policy, an authenticator and three views. */
import type { ApiRequest } from '../api-request.js'
import { type Authenticator, isAuthenticator } from '../authenticators/authenticator.js'
import { tokenAuthentication } from '../authenticators/token.js'
import { LatchkeyError } from '../errors.js'
import type { AuthenticatedIdentity, User } from '../identity.js'
import {
  ABOVE_0,
  checkOptions,
  FUNCTION,
  given,
  HTTP_TOKEN,
  having,
  orNull,
  type Rules,
  someOf,
  TEXT,
} from '../options.js'
import { scopesOf } from '../permissions/has-scope.js'
import type { Permission } from '../permissions/permission.js'
import type { Services } from '../services.js'
import type { ListedToken } from '../tokens/token.js'
import { secretFormat, secretPrefix } from '../tokens/token-format.js'
import { POLICY_NAME, TOKEN_POLICY_RULES, type TokenPolicy } from '../tokens/token-policy.js'
import { apiView } from '../views/api-view.js'
import { response } from '../views/response.js'
import type { View } from '../views/view.js'
import { issuedJson, listedJson, readCreation, readPage, readRotation } from './personal-tokens-fields.js'

export interface PersonalTokensOptions {
  /** Name of the token policy, for two such systems side by side. Default is `personal`. */
  readonly policyName?: string
  /** The word that secret scanners look for, 1 to 16 of a-z and 0-9. Default is `lk`. */
  readonly brand?: string
  /** What stands behind it, 1 to 16 of a-z and 0-9. Default is `pat`. */
  readonly kind?: string
  /** Lifetime where a caller asks for none, in seconds; null: for ever. Default is 7,776,000 (90 days), or the longest. */
  readonly ttlSeconds?: number | null
  /** The longest lifetime that a caller may ask for, in seconds; null: any, for ever too. Default is null. */
  readonly maxTtlSeconds?: number | null
  /** Live tokens that a user may have, each of which then has to end some day; null: any number. Default is null. */
  readonly limitPerUser?: number | null
  /** The keyword and the challenge. Default is `Bearer`. */
  readonly keyword?: string
  /** The scopes that exist: `defineScopes({…})`. Default is everything that can be written as one. */
  readonly scopes?: { readonly isKnown: (scope: string) => boolean } | null
  /** What a user may do, in scopes; null: anything. No token of theirs does more, also when it narrows later. Pure. */
  readonly ownerScopes?: ((user: User) => readonly string[] | null) | null
  /** Who may manage tokens. Default is whoever `createLatchkey` lets in by default, but never by a personal token. */
  readonly managementAuthentication?: readonly Authenticator[] | null
}

export interface PersonalTokens {
  /** For `createLatchkey({ policies: [personal.policy] })`. */
  readonly policy: TokenPolicy
  /** For routes and views: takes tokens of this policy. */
  readonly authentication: Authenticator
  /** `GET` -> `{"results": […], "next": …}`; `POST {name, scopes, expires_in, allowed_addresses}` -> 201 with `token`, once. */
  readonly collection: View
  /** `GET` one, by the path's `:id`; `DELETE` -> 204: it is refused from then on. */
  readonly item: View
  /**
   * `POST {overlap_seconds, expires_in}` -> 200 with the new `token`, once; the old one works for the overlap. `DELETE`
   * -> 204: the overlap is over; 409 while the old one is in use, unless `?force=true`.
   */
  readonly rotate: View
}

/**
 * Builds the parts to register and to mount (`/api/tokens/`, `/api/tokens/:id/`, `/api/tokens/:id/rotate/` by convention).
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function personalTokens(options: PersonalTokensOptions = {}): PersonalTokens {
  checkOptions('personalTokens', options, RULES)
  const maxTtlSeconds = options.maxTtlSeconds ?? null
  const ttlSeconds = Math.min(DEFAULT_TTL_SECONDS, maxTtlSeconds ?? DEFAULT_TTL_SECONDS)
  const complete: Settings = { ...DEFAULTS, ttlSeconds, ...given(options) }
  checkTogether(complete)
  const { policyName, scopes, managementAuthentication } = complete
  const format = secretFormat({ brand: complete.brand, kind: complete.kind })
  const policy: TokenPolicy = Object.freeze({
    name: policyName,
    prefix: secretPrefix(format),
    hexDigits: 64,
    format,
    onePerUser: false,
    shownAgain: false,
    ttlSeconds: complete.ttlSeconds,
    maxTtlSeconds,
    limitPerUser: complete.limitPerUser,
    renewal: null,
    isKnownScope: scopes && ((scope: string) => scopes.isKnown(scope)),
    tracksUse: true,
    ownerScopes: complete.ownerScopes,
  })
  const shared = {
    ...(managementAuthentication && { authentication: managementAuthentication }),
    permissions: [mayManageTokens(policy)] as const,
    carriesSecret: true,
  }
  return Object.freeze({
    policy,
    authentication: tokenAuthentication({ keyword: complete.keyword, policies: [policyName] }),
    collection: apiView({
      ...shared,
      name: 'Personal Token List',
      description: 'The personal access tokens of the user who asks.',
      get: ({ user, query }, { tokens }) => listPage({ user, query }, tokens, policy),
      async post(request, { tokens }) {
        const { user } = request
        const wished = readCreation(await request.data(), policy)
        return response(issuedJson(await tokens.issue({ user, policy: policyName, ...wished })), {
          status: 201,
        })
      },
    }),
    item: apiView({
      ...shared,
      name: 'Personal Token Instance',
      get: async (request, { tokens }) => listedJson(await ownToken(request, tokens, policy)),
      async delete(request, { tokens }) {
        await tokens.revoke(await ownToken(request, tokens, policy))
        return response(undefined, { status: 204 })
      },
    }),
    rotate: apiView({
      ...shared,
      name: 'Personal Token Rotation',
      description: 'Gives a token a new secret; the old one works on for a while.',
      async post(request, { tokens }) {
        const token = await ownToken(request, tokens, policy)
        return issuedJson(await tokens.rotate(token, readRotation(await request.data(), policy)))
      },
      async delete(request, { tokens }) {
        const token = await ownToken(request, tokens, policy)
        await tokens.finishRotation(token, { ifQuiet: request.query.get('force') !== 'true' })
        return response(undefined, { status: 204 })
      },
    }),
  })
}

const DEFAULT_TTL_SECONDS = 90 * 86_400

type Settings = Required<PersonalTokensOptions>

const DEFAULTS: Omit<Settings, 'ttlSeconds'> = Object.freeze({
  policyName: 'personal',
  brand: 'lk',
  kind: 'pat',
  maxTtlSeconds: null,
  limitPerUser: null,
  keyword: 'Bearer',
  scopes: null,
  ownerScopes: null,
  managementAuthentication: null,
})

const RULES: Rules<PersonalTokensOptions> = Object.freeze({
  policyName: POLICY_NAME,
  // The format knows what these must be.
  brand: TEXT,
  kind: TEXT,
  ttlSeconds: orNull(ABOVE_0),
  maxTtlSeconds: orNull(ABOVE_0),
  limitPerUser: TOKEN_POLICY_RULES.limitPerUser,
  keyword: HTTP_TOKEN,
  scopes: orNull(having('what defineScopes() returns, or have such an isKnown', 'isKnown')),
  ownerScopes: orNull(FUNCTION),
  managementAuthentication: orNull(someOf('authenticators', isAuthenticator)),
})

/** @throws TypeError where one option does not go with another */
function checkTogether({ ttlSeconds, maxTtlSeconds, limitPerUser }: Settings): void {
  if (maxTtlSeconds !== null && (ttlSeconds === null || ttlSeconds > maxTtlSeconds))
    throw new TypeError('ttlSeconds: must not be beyond maxTtlSeconds')
  if (limitPerUser !== null && ttlSeconds === null)
    throw new TypeError(
      'limitPerUser: must have a ttlSeconds beside it: tokens that never end are not counted',
    )
}

/**
 * A login, or a credential that may do everything its owner may. A leaked personal token must not be able to make others,
 * which would outlive it, nor see what else there is.
 */
function mayManageTokens({ name }: TokenPolicy): Permission<true> {
  return Object.freeze({
    name: 'MayManageTokens',
    requiresUser: true as const,
    message: 'A personal token cannot manage tokens: log in.',
    allows: ({ user, auth }) => user !== null && scopesOf(auth) === null && !isOfPolicy(auth, name),
  } satisfies Permission<true>)
}

function isOfPolicy(auth: unknown, name: string): boolean {
  return typeof auth === 'object' && auth !== null && 'policy' in auth && auth.policy === name
}

/** The token of the path, if it is the caller's; else 404, whether it is another's or nobody's. */
async function ownToken(
  { user, params: { id = '' } }: ApiRequest<AuthenticatedIdentity>,
  tokens: Services['tokens'],
  policy: TokenPolicy,
): Promise<ListedToken> {
  const token = /^[1-9]\d{0,14}$/.test(id) ? await tokens.get(Number(id)) : null
  if (token === null || token.userId !== user.id || token.policy !== policy.name)
    throw new LatchkeyError('not_found')
  return token
}

async function listPage(
  { user, query }: { readonly user: User; readonly query: URLSearchParams },
  tokens: Services['tokens'],
  { name }: TokenPolicy,
) {
  const { afterId, limit } = readPage(query)
  // One more than is shown tells whether there are others.
  const page = await tokens.list({ user, policy: name, afterId, limit: limit + 1 })
  const shown = page.slice(0, limit)
  const last = page.length > limit ? shown.at(-1) : undefined
  return { results: shown.map(listedJson), next: last?.id ?? null }
}

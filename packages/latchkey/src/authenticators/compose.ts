/**
 * A list of authenticators in which several take the same keyword of `Authorization`: each gets the credentials of its
 * own shape. Done once, when a Latchkey or a view is made; a list without a shared keyword is used as it is.
 */
import type { Authenticator } from './authenticator.js'
import { splitAuthorization } from './authorization-header.js'
import { claimsKeyword, type KeywordClaim } from './keyword-claim.js'

interface Claimant {
  readonly authenticator: Authenticator
  readonly claim: KeywordClaim
}

/**
 * The list to ask. Where a keyword is shared, JWTs (three segments) go to the authenticator that takes JWTs, everything
 * else to the first one that takes opaque tokens, which then takes the policies of all of them: a token is found by its
 * digest, so one that was imported with a foreign shape is found, too.
 *
 * @throws TypeError for a list in which an authenticator can never be reached, with the form that works
 */
export function composeAuthenticators(list: readonly Authenticator[]): readonly Authenticator[] {
  const claimants = list.flatMap((authenticator): readonly Claimant[] =>
    authenticator.keywordClaim === undefined ? [] : [{ authenticator, claim: authenticator.keywordClaim }],
  )
  const sharing = claimants.filter(({ claim }) => rivalsOf(claim, claimants).length > 1)
  if (sharing.length === 0) return Object.freeze([...list])
  for (const [index, claimant] of sharing.entries()) requireReachable(claimant, sharing.slice(0, index))
  const composed = list.map((authenticator) => {
    const claimant = sharing.find((one) => one.authenticator === authenticator)
    return claimant === undefined ? authenticator : withOwnShape(claimant, sharing)
  })
  return Object.freeze(composed)
}

/** Those of a list that share a keyword with a claim, itself included. */
function rivalsOf(claim: KeywordClaim, claimants: readonly Claimant[]): readonly Claimant[] {
  const isShared = (one: KeywordClaim, other: KeywordClaim) =>
    one.keywords.some((keyword) => claimsKeyword(other, keyword))
  return claimants.filter((one) => isShared(claim, one.claim) || isShared(one.claim, claim))
}

function requireReachable({ authenticator, claim }: Claimant, earlier: readonly Claimant[]): void {
  if (claim.isElsewhere || (claim.sample === null && claim.policies === null)) return
  const rivals = claim.keywords.map((keyword) => earlier.filter((one) => claimsKeyword(one.claim, keyword)))
  const isTaken = rivals.every(
    (some) =>
      (claim.sample === null || some.some((one) => one.claim.recognises(claim.sample ?? ''))) &&
      (claim.policies ?? []).every((policy) => some.some((one) => one.claim.policies?.includes(policy))),
  )
  if (!isTaken) return
  const [first] = rivals.flat()
  throw new TypeError(
    `authentication: ${authenticator.name} can never be reached: ${first?.authenticator.name} before it takes the ` +
      `same credentials behind '${claim.keywords.join("', '")}'. Leave one out, or use one for both: ${claim.advice}`,
  )
}

/** The authenticator, which passes over credentials that another one of the list owns. */
function withOwnShape({ authenticator, claim }: Claimant, sharing: readonly Claimant[]): Authenticator {
  const policies = rivalsOf(claim, sharing).flatMap((one) => one.claim.policies ?? [])
  const own = (claim.policies && claim.withPolicies?.([...new Set(policies)])) ?? authenticator
  return Object.freeze({
    name: own.name,
    challenge: own.challenge,
    keywordClaim: claim,
    authenticate(request, services) {
      const [keyword, secret, ...rest] = splitAuthorization(request)
      // What is no credential at all is refused by the first that has the keyword.
      const isCredential = keyword !== undefined && secret !== undefined && rest.length === 0
      const owner = isCredential ? ownerOf(keyword, secret, sharing) : undefined
      return owner === undefined || owner.claim === claim || !claimsKeyword(claim, keyword ?? '')
        ? own.authenticate(request, services)
        : null
    },
  } satisfies Authenticator)
}

/** By its shape; else the first that takes opaque tokens; else the last, which is then asked to refuse. */
function ownerOf(keyword: string, secret: string, sharing: readonly Claimant[]): Claimant | undefined {
  const rivals = sharing.filter(({ claim }) => claimsKeyword(claim, keyword))
  return (
    rivals.find(({ claim }) => claim.recognises(secret)) ??
    rivals.find(({ claim }) => claim.policies !== null) ??
    rivals.at(-1)
  )
}

/**
 * Decides about the claims of a JWT whose signature was right: times, issuer and audience as PyJWT does, then token
 * type, id and expiry as simplejwt does. Pure; the JWT service calls it with the time and words the refusal.
 */
import type { JsonObject } from './json-object.js'

/** What can be wrong with the claims of a token. */
export type ClaimFault =
  | 'invalid'
  | 'expired'
  | 'no_expiry'
  | 'expiry_passed'
  | 'no_jti'
  | 'no_type'
  | 'wrong_type'
  | 'blacklisted'

/** The public sentence of each fault. simplejwt 5.2 does not tell an expired token from an invalid one; nor do we. */
const MESSAGES: Readonly<Record<ClaimFault, (claim: string) => string>> = Object.freeze({
  invalid: () => 'Token is invalid or expired',
  expired: () => 'Token is invalid or expired',
  no_expiry: (claim: string) => `Token has no '${claim}' claim`,
  expiry_passed: (claim: string) => `Token '${claim}' claim has expired`,
  no_jti: () => 'Token has no id',
  no_type: () => 'Token has no type',
  wrong_type: () => 'Token has wrong type',
  blacklisted: () => 'Token is blacklisted',
})

/** simplejwt's words. `claim`: the name of the expiry claim, for the two faults about it. */
export function claimMessage(fault: ClaimFault, claim = 'exp'): string {
  return MESSAGES[fault](claim)
}

export interface ClaimTimes {
  /** Seconds since 1970, with their fraction. */
  readonly nowSeconds: number
  /** Tolerance for clocks that differ, both ways. */
  readonly leewaySeconds: number
}

export interface ClaimRules extends ClaimTimes {
  /** Who we are: the token must name one of these. Undefined: `aud` is not looked at. */
  readonly audience?: string | readonly string[] | undefined
  /** Who must have issued the token, exactly. Undefined: `iss` is not looked at. */
  readonly issuer?: string | undefined
}

export type ClaimsResult = 'ok' | 'expired' | 'invalid'

/**
 * PyJWT's part: `iat`, `nbf`, `exp`, `iss`, `aud`, in this order. A token without a time claim passes: `checkExpiry`
 * asks for `exp`. Times are JSON numbers (RFC 7519, 2); of `nbf` and `exp` the fraction is cut off.
 */
export function checkClaims(payload: JsonObject, rules: ClaimRules): ClaimsResult {
  const iat = timeOr(-Infinity, payload, 'iat')
  const nbf = timeOr(-Infinity, payload, 'nbf')
  const exp = timeOr(Infinity, payload, 'exp')
  const latest = rules.nowSeconds + rules.leewaySeconds
  // PyJWT compares `iat` as it is with the whole second.
  const isIssued = iat <= Math.floor(rules.nowSeconds) + rules.leewaySeconds
  if (!(isIssued && Math.trunc(nbf) <= latest) || Number.isNaN(exp)) return 'invalid'
  if (Math.trunc(exp) <= rules.nowSeconds - rules.leewaySeconds) return 'expired'
  return isFrom(payload, rules.issuer) && isFor(payload, rules.audience) ? 'ok' : 'invalid'
}

/**
 * simplejwt's own look at an expiry claim: `exp` of every token, `refresh_exp` of sliding ones.
 *
 * @param claim its name
 * @returns the fault, or undefined
 */
export function checkExpiry(payload: JsonObject, claim: string, times: ClaimTimes): ClaimFault | undefined {
  if (!Object.hasOwn(payload, claim)) return 'no_expiry'
  const seconds = numericDate(payload[claim])
  if (seconds === undefined) return 'invalid'
  return seconds > times.nowSeconds - times.leewaySeconds ? undefined : 'expiry_passed'
}

/**
 * The id must be there, whatever it is: null and numbers pass as they do in simplejwt. A text with half a surrogate does
 * not: stores keep another one in its place. `claim` null: not looked at.
 */
export function checkJti(payload: JsonObject, claim: string | null): ClaimFault | undefined {
  if (claim === null) return undefined
  if (!Object.hasOwn(payload, claim)) return 'no_jti'
  const jti = payload[claim]
  return typeof jti === 'string' && HALF_SURROGATE.test(jti) ? 'invalid' : undefined
}

const HALF_SURROGATE = /\p{Surrogate}/u

/** The token must be of this type. `claim` null: not looked at. */
export function checkTokenType(
  payload: JsonObject,
  claim: string | null,
  type: string,
): ClaimFault | undefined {
  if (claim === null) return undefined
  if (!Object.hasOwn(payload, claim)) return 'no_type'
  return payload[claim] === type ? undefined : 'wrong_type'
}

/** The last second of the year 9999: beyond it neither Python's nor SQL's calendars go. */
export const LAST_SECOND = 253_402_300_799

/** RFC 7519, 2: a JSON number. Undefined for everything else, and for times that no calendar has. */
export function numericDate(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) <= LAST_SECOND ? value : undefined
}

/** NaN, which is neither before nor after any time, for a claim that is no time. */
function timeOr(absent: number, payload: JsonObject, claim: string): number {
  return Object.hasOwn(payload, claim) ? (numericDate(payload[claim]) ?? Number.NaN) : absent
}

function isFrom(payload: JsonObject, issuer: string | undefined): boolean {
  return issuer === undefined || (Object.hasOwn(payload, 'iss') && payload.iss === issuer)
}

/** RFC 7519, 4.1.3: one text or a list of texts; a list with anything else in it names nobody. */
function isFor(payload: JsonObject, audience: string | readonly string[] | undefined): boolean {
  if (audience === undefined) return true
  const claim: unknown = Object.hasOwn(payload, 'aud') ? payload.aud : undefined
  const named: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  if (!named.every((name) => typeof name === 'string')) return false
  const ours = typeof audience === 'string' ? [audience] : audience
  return ours.some((name) => named.includes(name))
}

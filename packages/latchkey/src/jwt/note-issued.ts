/** Writes down what was issued, so that it can be revoked. The JWT service and its refresher call it before they answer. */
import type { Clock } from '../clock.js'
import type { UserId } from '../identity.js'
import type { AccessBasis, NewJwtRecord, Store } from '../stores/store.js'
import type { JwtClaims, JwtPayloads } from './jwt-payloads.js'

export interface IssuedJwts {
  /** A refresh or sliding token. */
  readonly payload: JwtClaims
  readonly access?: JwtClaims
  /** When its user began to prove who they are: what was revoked in this very millisecond came later, perhaps. */
  readonly sinceMs: number
  /** What the login or the refresh is based on, where something was proved before. */
  readonly basis?: AccessBasis | undefined
  /** When the login was that the token descends from; default: it is of a login now. */
  readonly familyStart?: Date | undefined
  /** Whose the tokens are, as the store of users names them; default: as the claims do. */
  readonly userId?: UserId | undefined
}

interface NoteContext {
  readonly store: Store
  readonly payloads: JwtPayloads
  readonly clock: Clock
}

/**
 * False, and the token has ended, when everything of its user was revoked since: else a login with the old password that
 * is under way would outlive the new one. It is looked at after the insert, so that no revocation falls in between. False,
 * too, and nothing is noted, when access was narrowed since the basis was taken.
 */
export async function noteIssued(
  context: NoteContext,
  { payload, access, sinceMs, basis, userId, familyStart }: IssuedJwts,
): Promise<boolean> {
  const { store, payloads } = context
  const own = payloads.recordOf(payload, userId)
  const record = familyStart === undefined ? own : { ...own, familyStartedAt: familyStart }
  if ((await store.jwts.insert([record], basis)) === false) return false
  const { notBefore } = await store.jwts.state(record.jti, record.userId)
  const isGood = notBefore === null || notBefore.getTime() < sinceMs
  if (isGood && (access === undefined || (await noteAccess(context, access, notBefore, { basis, userId }))))
    return true
  await end(context, record)
  return false
}

/**
 * As `noteIssued`, for an access token of a good refresh token. `notBefore`: since when tokens of its user counted while
 * the refresh token was found good; when that has moved, the revocation covers the access token, too. Two revocations in one
 * millisecond look the same there: the basis tells them apart.
 */
export async function noteAccess(
  context: NoteContext,
  access: JwtClaims,
  notBefore: Date | null,
  { basis, userId }: Pick<IssuedJwts, 'basis' | 'userId'>,
): Promise<boolean> {
  const { store, payloads } = context
  const [record] = payloads.accessRecords(access, notBefore, userId)
  if (record === undefined) return true
  if ((await store.jwts.insert([record], basis)) === false) return false
  const { notBefore: latest } = await store.jwts.state(record.jti, record.userId)
  if (latest?.getTime() === notBefore?.getTime()) return true
  await end(context, record)
  return false
}

async function end({ store, clock }: NoteContext, record: NewJwtRecord): Promise<void> {
  await store.jwts.revoke(record, new Date(clock.nowMs()))
}

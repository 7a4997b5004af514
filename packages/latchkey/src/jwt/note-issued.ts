/** Writes down what was issued, so that it can be revoked. The JWT service and its refresher call it before they answer. */
import type { Clock } from '../clock.js'
import type { Store } from '../stores/store.js'
import type { JwtClaims, JwtPayloads } from './jwt-payloads.js'

export interface IssuedJwts {
  /** A refresh or sliding token. */
  readonly payload: JwtClaims
  readonly access?: JwtClaims
  /** When its user began to prove who they are. */
  readonly sinceMs: number
}

/**
 * False, and the token has ended, when everything of its user was revoked since: else a login with the old password that
 * is under way would outlive the new one. It is looked at after the insert, so that no revocation falls in between.
 */
export async function noteIssued(
  {
    store,
    payloads,
    clock,
  }: { readonly store: Store; readonly payloads: JwtPayloads; readonly clock: Clock },
  { payload, access, sinceMs }: IssuedJwts,
): Promise<boolean> {
  const record = payloads.recordOf(payload)
  await store.jwts.insert([record])
  const { notBefore } = await store.jwts.state(record.jti, record.userId)
  if (notBefore !== null && notBefore.getTime() > sinceMs) {
    await store.jwts.revoke(record, new Date(clock.nowMs()))
    return false
  }
  const more = access === undefined ? [] : payloads.accessRecords(access, notBefore)
  if (more.length > 0) await store.jwts.insert(more)
  return true
}

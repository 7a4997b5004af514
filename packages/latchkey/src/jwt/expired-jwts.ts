/** When what is remembered of JWTs may go. The JWT service calls it, and the command, which may have no JWT service. */
import type { Clock } from '../clock.js'
import type { Store } from '../stores/store.js'
import { MAX_CLOCK_DIFFERENCE_SECONDS, MAX_LEEWAY_SECONDS } from './jwt-options.js'

/**
 * How long after its expiry a token may still be accepted somewhere: the longest leeway that any configuration may have,
 * now or later, a clock that is behind by as much as clocks may differ, and the second that rounding takes.
 */
const KEPT_SECONDS = MAX_LEEWAY_SECONDS + MAX_CLOCK_DIFFERENCE_SECONDS + 1

/**
 * Removes what is remembered of JWTs that no node can accept any more; without it a revoked token would be good again.
 *
 * @returns how many
 * @throws LatchkeyError `store_unavailable`
 */
export function deleteExpiredJwts(store: Store, clock: Clock): Promise<number> {
  return store.jwts.deleteExpired(new Date(clock.nowMs() - KEPT_SECONDS * 1000))
}

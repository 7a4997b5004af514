/** Limits each user, and each address of those who are nobody: DRF's `UserRateThrottle`. */
import { parseRate } from '../rates.js'
import { identityKey, requireRate, type Throttle } from './throttle.js'

/** @param rate DRF's syntax: `1000/day`. */
export function throttleByUser(rate: string): Throttle {
  return Object.freeze({
    name: 'user',
    stage: 'identity' as const,
    rate: requireRate(parseRate(rate)),
    key: identityKey,
  })
}

/** Limits each address of those who are nobody: DRF's `AnonRateThrottle`. */
import { parseRate } from '../rates.js'
import { requireRate, type Throttle } from './throttle.js'

/** @param rate DRF's syntax: `100/day`. */
export function throttleAnonymous(rate: string): Throttle {
  return Object.freeze({
    name: 'anonymous',
    stage: 'identity' as const,
    rate: requireRate(parseRate(rate)),
    key: ({ address }, identity) => (identity?.user ? null : address),
  } satisfies Throttle)
}

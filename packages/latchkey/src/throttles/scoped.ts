/** Limits one part of an API on its own: DRF's `ScopedRateThrottle`. */
import { parseRate } from '../rates.js'
import { identityKey, requireRate, type Throttle } from './throttle.js'

/** @param scope what is counted together, e.g. `uploads` @param rate DRF's syntax: `20/day`. */
export function throttleScope(scope: string, rate: string): Throttle {
  if (scope === '') throw new TypeError('scope: must not be empty')
  return Object.freeze({
    name: `scope:${scope}`,
    stage: 'identity' as const,
    rate: requireRate(parseRate(rate)),
    key: identityKey,
  })
}

/** DRF's rate syntax, `10/min`, and the refusal that all throttles share. */
import { LatchkeyError } from './errors.js'
import type { CounterLimit } from './stores/store.js'

/** How many in how long. */
export type Rate = CounterLimit

const PERIOD_SECONDS: Readonly<Record<string, number>> = Object.freeze({ s: 1, m: 60, h: 3600, d: 86_400 })

/**
 * `10/min` -> 10 per 60 seconds. As in DRF only the first letter of the period counts: s, m, h or d. `null` means no
 * limit. Throws a TypeError that names `option` for anything else.
 */
export function parseRate(text: string | null, option = 'rate'): Rate | null {
  if (text === null) return null
  const match = /^(\d{1,9})\/([smhd])[a-z]*$/.exec(text)
  const periodSeconds = PERIOD_SECONDS[match?.[2] ?? '']
  if (match === null || periodSeconds === undefined || Number(match[1]) < 1) {
    throw new TypeError(`${option}: must look like '10/min' (s, min, hour or day), not '${text}'`)
  }
  return Object.freeze({ maxCount: Number(match[1]), periodSeconds })
}

/** DRF's 429: `Retry-After` in whole seconds, and the same number in words. */
export function throttledError(waitSeconds: number): LatchkeyError {
  const seconds = Math.max(1, Math.ceil(waitSeconds))
  return new LatchkeyError('throttled', {
    message: `Request was throttled. Expected available in ${seconds} second${seconds === 1 ? '' : 's'}.`,
    retryAfterSeconds: seconds,
  })
}

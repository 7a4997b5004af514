/** Where time enters: every service takes a clock, so that tests set the hour instead of sleeping. A leaf. */
import { checkAnswer, rule } from './options.js'

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number
}

/**
 * An app's clock whose answers are checked: every expiry is compared with them, and nothing is later than NaN.
 * @returns a clock that throws a TypeError in place of an answer that is not a finite number
 */
export function checkedClock(clock: Clock): Clock {
  return Object.freeze({
    nowMs: () => {
      const nowMs = clock.nowMs()
      if (!Number.isFinite(nowMs)) checkAnswer('clock: nowMs()', nowMs, FINITE)
      return nowMs
    },
  })
}

const FINITE = rule('be a finite number', Number.isFinite)

/** Checked as well, without a second call on every request: programs that mock the time replace `Date.now`. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => {
    const nowMs = Date.now()
    if (!Number.isFinite(nowMs)) checkAnswer('Date.now()', nowMs, FINITE)
    return nowMs
  },
})

/** A clock that stands still until a test moves it. Part of `latchkey/testing`. */
import type { Clock } from '../clock.js'

export interface FixedClock extends Clock {
  /** Sets the time, in milliseconds since 1970-01-01T00:00:00Z. */
  set(ms: number): void
  /** Moves the time forward; a negative number moves it back. */
  advance(seconds: number): void
}

/** A clock at `startMs` (milliseconds since 1970-01-01T00:00:00Z; default: noon UTC on the first of January 2030). */
export function fixedClock(startMs: number = Date.UTC(2030, 0, 1, 12)): FixedClock {
  let nowMs = startMs
  return {
    nowMs: () => nowMs,
    set(ms) {
      nowMs = ms
    },
    advance(seconds) {
      nowMs += seconds * 1000
    },
  }
}

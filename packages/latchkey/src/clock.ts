/** Where time enters: every service takes a clock, so that tests set the hour instead of sleeping. A leaf. */

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number
}

export const systemClock: Clock = Object.freeze({ nowMs: () => Date.now() })

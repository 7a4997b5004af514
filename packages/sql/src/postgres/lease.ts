/** How long answers from memory are good without a look at the store, by two clocks. */
import { type Clock, systemClock } from 'latchkey'

export interface LeaseClocks {
  /** Goes on while the process is stopped, and never back. */
  readonly monotonic: Clock
  /** Goes on while the machine sleeps. */
  readonly wall: Clock
}

/** A moment by both clocks. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

const SYSTEM: LeaseClocks = { monotonic: { nowMs: () => performance.now() }, wall: systemClock }
const NEVER: Moment = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY }

/**
 * Counts from the start of the last look that succeeded: it saw all that was committed before it started. Time is what
 * either clock says, whichever says more; one that is set back or forth can end a lease early and never late.
 */
export class Lease {
  readonly ms: number
  readonly #clocks: LeaseClocks
  #from: Moment = NEVER

  constructor(ms: number, clocks: LeaseClocks = SYSTEM) {
    this.ms = ms
    this.#clocks = clocks
  }

  now(): Moment {
    return { monotonicMs: this.#clocks.monotonic.nowMs(), wallMs: this.#clocks.wall.nowMs() }
  }

  /** How long ago the last look started; `Infinity`: there was none. */
  get lagMs(): number {
    const { monotonicMs, wallMs } = this.#from
    return Math.max(this.#clocks.monotonic.nowMs() - monotonicMs, this.#clocks.wall.nowMs() - wallMs)
  }

  get isOver(): boolean {
    return this.lagMs > this.ms
  }

  renew(from: Moment): void {
    this.#from = from
  }
}

/** What a throttle is, and how the guard asks several: all are counted, the longest wait is the answer. */
import type { Identity } from '../identity.js'
import { checkAnswer, hasMethods, listOf, orNull, TEXT } from '../options.js'
import { type Rate, throttledError } from '../rates.js'
import type { ThrottleCounters } from './throttle-counters.js'

/** What a throttle may look at. */
export interface ThrottledRequest {
  readonly method: string
  /** The caller's address as far as configured proxies are trusted; IPv6 as its /64. */
  readonly address: string
}

/**
 * Limits how often something may happen. `address` throttles act before a credential is looked at, so guesses count;
 * `identity` throttles act when it is known who asks and that they may.
 */
export interface Throttle {
  readonly name: string
  readonly stage: 'address' | 'identity'
  readonly rate: Rate
  /** What is counted together; null: this request is not counted. */
  key(request: ThrottledRequest, identity: Identity | null): string | null
}

const KEY = orNull(TEXT)

/** What an option that takes throttles must be. */
export const THROTTLES = listOf("throttles, such as throttleByUser('1000/day')", isThrottle)

/** One of a stage that there is not would never act. */
function isThrottle(value: unknown): boolean {
  if (!hasMethods('key')(value)) return false
  const { name, stage, rate } = value as Partial<Throttle>
  const isStage = stage === 'address' || stage === 'identity'
  return (
    typeof name === 'string' && isStage && rate !== undefined && rate.maxCount > 0 && rate.periodSeconds > 0
  )
}

/**
 * Counts the request with every throttle of a stage. Throws `throttled` with the longest wait of those that refuse; or
 * rejects, where the store is asked.
 */
export function applyThrottles(
  throttles: readonly Throttle[],
  stage: Throttle['stage'],
  request: ThrottledRequest,
  identity: Identity | null,
  counters: ThrottleCounters,
  nowMs: number,
): void | Promise<void> {
  const waits: Array<number | Promise<number>> = []
  for (const throttle of throttles) {
    if (throttle.stage !== stage) continue
    const key = throttle.key(request, identity)
    if (key === null) continue
    if (typeof key !== 'string') checkAnswer(`throttles: ${throttle.name}.key()`, key, KEY)
    const { maxCount, periodSeconds } = throttle.rate
    // With the rate in the name, `100/min` and `1000/day` of one kind count on their own.
    waits.push(counters.hit(`${throttle.name}:${maxCount}/${periodSeconds}:${key}`, throttle.rate, nowMs))
  }
  if (waits.every((seconds) => typeof seconds === 'number')) refuseOver(waits)
  else return Promise.all(waits).then(refuseOver)
}

/** The key of whoever asks: the user where there is one, else the address. */
export function identityKey(request: ThrottledRequest, identity: Identity | null): string {
  return identity?.user ? `user:${identity.user.id}` : `address:${request.address}`
}

function refuseOver(waitsSeconds: readonly number[]): void {
  const longest = Math.max(0, ...waitsSeconds)
  if (longest > 0) throw throttledError(longest)
}

/** A rate that must be there. */
export function requireRate(rate: Rate | null): Rate {
  if (rate === null) throw new TypeError('rate: leave the throttle out instead of giving it no rate')
  return rate
}

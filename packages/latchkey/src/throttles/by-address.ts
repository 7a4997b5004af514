/** Limits each address, whoever asks: acts before authentication, so that guesses of credentials count. */
import { parseRate } from '../rates.js'
import { requireRate, type Throttle } from './throttle.js'

/** @param rate DRF's syntax: `100/day`. */
export function throttleByAddress(rate: string): Throttle {
  return Object.freeze({
    name: 'address',
    stage: 'address' as const,
    rate: requireRate(parseRate(rate)),
    key: (request: { readonly address: string }) => request.address,
  })
}

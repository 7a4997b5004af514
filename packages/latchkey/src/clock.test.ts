import { expect, it } from 'vitest'
import { checkedClock } from './clock.js'

it('passes on the time of an app, and refuses what is none', () => {
  expect(checkedClock({ nowMs: () => 1.5 }).nowMs()).toBe(1.5)
  for (const answer of [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '0',
    undefined,
    new Date(0),
    Promise.resolve(0),
  ]) {
    const clock = checkedClock({ nowMs: () => answer as number })
    expect(() => clock.nowMs()).toThrow(/^clock: nowMs\(\): must return a finite number/)
  }
})

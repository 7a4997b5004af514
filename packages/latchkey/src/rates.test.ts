import { expect, it } from 'vitest'
import { parseRate, throttledError } from './rates.js'

it.each([
  ['10/min', 10, 60],
  ['1/s', 1, 1],
  ['100/hour', 100, 3600],
  ['5/day', 5, 86_400],
  ['3/minute', 3, 60],
])('%s is %i in %i seconds', (text, maxCount, periodSeconds) => {
  expect(parseRate(text)).toEqual({ maxCount, periodSeconds })
})

it('refuses what is no rate, and names the option', () => {
  for (const wrong of ['', '10', '10/', '/min', '0/min', '-1/min', '10/year', '1.5/min', '10/min/min', 'x']) {
    expect(() => parseRate(wrong, 'loginRate'), wrong).toThrow(/^loginRate:/)
  }
  expect(parseRate(null)).toBeNull()
})

it('says when to come back in whole seconds, as DRF does', () => {
  expect(throttledError(59.1)).toMatchObject({
    status: 429,
    retryAfterSeconds: 60,
    publicMessage: 'Request was throttled. Expected available in 60 seconds.',
  })
  expect(throttledError(0.2).publicMessage).toBe('Request was throttled. Expected available in 1 second.')
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration } from './durations.js'

describe('a duration', () => {
  it.each([
    ['90d', 7_776_000],
    ['12h', 43_200],
    ['30m', 1800],
    ['45s', 45],
    ['3600', 3600],
    ['0', 0],
    ['0d', 0],
    ['36600d', 3_162_240_000],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds)
  })

  it.each([
    '',
    ' ',
    '-1',
    '+1',
    '1.5h',
    '1e3',
    '0x10',
    '90 d',
    '90D',
    '1w',
    'd',
    '1d12h',
    '٣',
    '36601d',
    '9'.repeat(400),
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull()
  })

  it('is a whole number of at most a hundred years, or none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,12}[dhms]?$/)), (text) => {
        const seconds = parseDuration(text)
        expect(
          seconds === null || (Number.isSafeInteger(seconds) && seconds >= 0 && seconds <= 3_162_240_000),
        ).toBe(true)
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { nearest } from './nearest.js'

const NAMES = ['port', 'host', 'database', 'trustedProxies']

describe('nearest', () => {
  it.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['hosts', 'host'],
    ['databse', 'database'],
    ['trusted_proxies', 'trustedProxies'],
  ])('suggests for %s: %s', (name, suggestion) => {
    expect(nearest(name, NAMES)).toBe(suggestion)
  })

  it('suggests nothing for what is like nothing', () => {
    expect(nearest('cacheEntries', NAMES)).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { user, verifiedToken } from '../../test/verified-token.js'
import { type RecentSecret, RecentSecrets } from './recent-secrets.js'

const found: RecentSecret = { key: 'key', verified: verifiedToken(user(1)), epoch: 0 }

describe('RecentSecrets', () => {
  it('forgets a secret within two generations of its last use', () => {
    const recent = new RecentSecrets()
    recent.get('other', 0)
    recent.set('secret', found, 0)
    expect(recent.get('secret', 9_999)).toBe(found)
    expect(recent.get('secret', 10_000)).toBe(found)
    expect(recent.get('other', 20_000)).toBeUndefined()
    expect(recent.get('other', 30_000)).toBeUndefined()
    expect(recent.size).toBe(0)
    expect(recent.get('secret', 30_000)).toBeUndefined()
  })

  it('holds no more than two generations of 8192, and keeps what is in use', () => {
    const recent = new RecentSecrets()
    recent.get('', 0)
    recent.set('used', found, 0)
    for (let number = 0; number < 40_000; number += 1) {
      recent.set(`secret ${number}`, found, 1)
      expect(recent.get('used', 1)).toBe(found)
    }
    expect(recent.size).toBeLessThanOrEqual(2 * 8192)
    expect(recent.get('secret 0', 1)).toBeUndefined()
  })

  it('keeps nothing for longer because the clock was set back', () => {
    const recent = new RecentSecrets()
    recent.get('', 1_000_000)
    recent.set('secret', found, 1_000_000)
    recent.get('', 0)
    recent.get('', 10_000)
    expect(recent.size).toBe(0)
  })

  it('takes one of eight that are offered, so that who comes often is soon known', () => {
    const recent = new RecentSecrets()
    recent.get('', 0)
    for (let number = 0; number < 8; number += 1) recent.offer('secret', found, 0)
    expect(recent.get('secret', 0)).toBe(found)
    for (let number = 0; number < 800; number += 1) recent.offer(`secret ${number}`, found, 0)
    expect(recent.size).toBe(101)
  })

  it('has the cache asked again for one that it recalls', () => {
    const recent = new RecentSecrets()
    recent.get('', 0)
    recent.set('secret', { ...found, epoch: 7 }, 0)
    expect(recent.get('secret', 9_999)?.epoch).toBe(7)
    expect(recent.get('secret', 10_000)?.epoch).toBe(-1)
  })

  it('does not keep long texts', () => {
    const recent = new RecentSecrets()
    recent.set('x'.repeat(257), found, 0)
    expect(recent.size).toBe(0)
  })
})

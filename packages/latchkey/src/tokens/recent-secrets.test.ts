import { describe, expect, it } from 'vitest'
import { user, verifiedToken } from '../../test/verified-token.js'
import { type RecentSecret, RecentSecrets } from './recent-secrets.js'

const verified = verifiedToken(user(1))
const found: RecentSecret = {
  secretStart: 0,
  key: 'key',
  plainUntilMs: Number.POSITIVE_INFINITY,
  policy: 'authtoken',
  identity: verified.identity,
  verified,
  epoch: 0,
}

describe('RecentSecrets', () => {
  it('forgets a secret within two generations of its last use', () => {
    const recent = new RecentSecrets()
    recent.get('other', 0, 0)
    recent.set('secret', found, 0)
    expect(recent.get('secret', 0, 9_999)).toBe(found)
    expect(recent.get('secret', 0, 10_000)).toBe(found)
    expect(recent.get('other', 0, 20_000)).toBeUndefined()
    expect(recent.get('other', 0, 30_000)).toBeUndefined()
    expect(recent.size).toBe(0)
    expect(recent.get('secret', 0, 30_000)).toBeUndefined()
  })

  it('holds no more than two generations of 8192, and keeps what is in use', () => {
    const recent = new RecentSecrets()
    recent.get('', 0, 0)
    recent.set('used', found, 0)
    for (let number = 0; number < 40_000; number += 1) {
      recent.set(`secret ${number}`, found, 1)
      expect(recent.get('used', 0, 1)).toBe(found)
    }
    expect(recent.size).toBeLessThanOrEqual(2 * 8192)
    expect(recent.get('secret 0', 0, 1)).toBeUndefined()
  })

  it('keeps nothing for longer because the clock was set back', () => {
    const recent = new RecentSecrets()
    recent.get('', 0, 1_000_000)
    recent.set('secret', found, 1_000_000)
    recent.get('', 0, 0)
    recent.get('', 0, 10_000)
    expect(recent.size).toBe(0)
  })

  it('takes one of eight that are offered, so that who comes often is soon known', () => {
    const recent = new RecentSecrets()
    recent.get('', 0, 0)
    for (let number = 0; number < 8; number += 1) recent.offer('secret', found, 0)
    expect(recent.get('secret', 0, 0)).toBe(found)
    for (let number = 0; number < 800; number += 1) recent.offer(`secret ${number}`, found, 0)
    expect(recent.size).toBe(101)
  })

  it('has the cache asked again for one that it recalls', () => {
    const recent = new RecentSecrets()
    recent.get('', 0, 0)
    recent.set('secret', { ...found, epoch: 7 }, 0)
    expect(recent.get('secret', 0, 9_999)?.epoch).toBe(7)
    expect(recent.get('secret', 0, 10_000)?.epoch).toBe(-1)
  })

  it('tells a whole text from a secret behind a keyword', () => {
    const recent = new RecentSecrets()
    recent.get('', 0, 0)
    const behind = { ...found, secretStart: 6 }
    recent.set('Token secret', behind, 0)
    expect(recent.get('Token secret', 6, 9_999)).toBe(behind)
    expect(recent.get('Token secret', 0, 9_999)).toBeUndefined()
    expect(recent.get('Token secret', 6, 10_000)).toBe(behind)
    expect(recent.get('secret', 0, 10_000)).toBeUndefined()
  })

  it('does not keep long texts', () => {
    const recent = new RecentSecrets()
    recent.set('x'.repeat(257), found, 0)
    expect(recent.size).toBe(0)
  })
})

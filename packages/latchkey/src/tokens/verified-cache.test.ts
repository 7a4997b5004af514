import { describe, expect, it } from 'vitest'
import { user, verifiedToken } from '../../test/verified-token.js'
import type { User } from '../identity.js'
import { digestBytes, digestKey } from './token-digest.js'
import { VerifiedCache } from './verified-cache.js'

const verified = (userId: number, id = userId) => verifiedToken(user(userId), { id })

describe('VerifiedCache', () => {
  it('never holds more than two generations, and keeps what is in use', () => {
    const cache = new VerifiedCache(100)
    cache.set('hot', verified(1), cache.epoch)
    for (let index = 0; index < 5000; index += 1) {
      cache.set(`key${index}`, verified(2, index), cache.epoch)
      expect(cache.get('hot')).toBeDefined()
      expect(cache.size).toBeLessThanOrEqual(200)
    }
    expect(cache.get('key0')).toBeUndefined()
  })

  it('forgets one token, in either generation', () => {
    const cache = new VerifiedCache(1)
    const keys = ['a', 'b'].map(digestKey)
    for (const [index, key] of keys.entries()) cache.set(key, verified(index), cache.epoch)
    for (const key of keys) {
      cache.apply({ kind: 'token', digest: digestBytes(key) })
      expect(cache.get(key)).toBeUndefined()
    }
  })

  it('forgets all tokens of a user, in both generations, and remembers later ones', () => {
    const cache = new VerifiedCache(2)
    for (let id = 0; id < 4; id += 1) cache.set(`key${id}`, verified(1, id), cache.epoch)
    cache.set('other', verified(2), cache.epoch)
    cache.apply({ kind: 'user', userId: 1 })
    for (let id = 0; id < 4; id += 1) expect(cache.get(`key${id}`)).toBeUndefined()
    expect(cache.get('other')).toBeDefined()
    cache.set('key0', verified(1), cache.epoch)
    expect(cache.get('key0')).toBeDefined()
  })

  it('does not take an answer from before a change', () => {
    const cache = new VerifiedCache(10)
    const { epoch } = cache
    cache.apply({ kind: 'user', userId: 99 })
    cache.set('key', verified(1), epoch)
    expect(cache.get('key')).toBeUndefined()
  })

  it('is empty after a change that cannot be named', () => {
    const cache = new VerifiedCache(10)
    cache.set('key', verified(1), cache.epoch)
    cache.apply({ kind: 'all' })
    expect(cache.get('key')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it('forgets the tokens of a user whom the app spells differently than they do', () => {
    const cache = new VerifiedCache(10)
    const respelt = verifiedToken(user(5, { id: '5' }), { userId: 5 })
    cache.set('key', respelt, cache.epoch)
    expect(cache.get('key')?.identity).toEqual(respelt.identity)
    cache.apply({ kind: 'user', userId: 5 })
    expect(cache.get('key')).toBeUndefined()
  })

  it('keeps a user’s tokens when a later one shows a login, and drops them when it shows anything else', () => {
    const cache = new VerifiedCache(10)
    const later = (changes: Partial<User>) => verifiedToken(user(1, changes), { id: 2 })
    cache.set('first', verified(1), cache.epoch)
    cache.set('second', later({ lastLogin: new Date(1) }), cache.epoch)
    expect(cache.get('first')).toBeDefined()
    cache.set('third', later({ isActive: false }), cache.epoch)
    expect(cache.get('first')).toBeUndefined()
    expect(cache.get('second')).toBeUndefined()
    expect(cache.get('third')?.identity.user.isActive).toBe(false)
  })
})

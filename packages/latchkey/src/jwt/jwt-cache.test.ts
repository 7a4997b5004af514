import { describe, expect, it } from 'vitest'
import type { Change } from '../stores/store.js'
import { JwtCache } from './jwt-cache.js'

const TIMES = { nowSeconds: 1000, leewaySeconds: 0 }
const identityOf = (jti: string) => ({ user: null, auth: { jti } })

function filled(maxEntries: number, entries: number): JwtCache {
  const cache = new JwtCache(maxEntries)
  for (let index = 0; index < entries; index += 1) {
    const names = { userIds: [index % 2, String(index % 2)], jti: `jti${index}` }
    cache.set(`key${index}`, identityOf(names.jti), 2000, names, cache.epoch)
  }
  return cache
}

const heldOf = (cache: JwtCache, entries: number) =>
  Array.from({ length: entries }, (_, index) => index).filter((index) => cache.get(`key${index}`, TIMES))

describe('JwtCache', () => {
  it.each<[string, Change, readonly number[]]>([
    ['a token by its id', { kind: 'jwt', jti: 'jti2' }, [0, 1, 3]],
    ['all of a user', { kind: 'user', userId: 1 }, [0, 2]],
    ['all of a user by another name', { kind: 'user', userId: '0' }, [1, 3]],
    ['nothing for an opaque token', { kind: 'token', digest: new Uint8Array(32) }, [0, 1, 2, 3]],
    ['everything when keys changed', { kind: 'keys' }, []],
    ['everything after a change that cannot be named', { kind: 'all' }, []],
  ])('drops %s, in either generation', (_, change, left) => {
    for (const maxEntries of [3, 4, 10]) {
      const cache = filled(maxEntries, 4)
      expect(heldOf(cache, 4)).toEqual([0, 1, 2, 3])
      cache.apply(change)
      expect(heldOf(cache, 4)).toEqual(left)
    }
  })

  it('remembers a token again that is verified after a change', () => {
    const cache = filled(10, 4)
    cache.apply({ kind: 'user', userId: 1 })
    cache.set('key1', identityOf('jti1'), 2000, { userIds: [1], jti: 'jti1' }, cache.epoch)
    expect(heldOf(cache, 4)).toEqual([0, 1, 2])
    cache.apply({ kind: 'user', userId: 1 })
    expect(heldOf(cache, 4)).toEqual([0, 2])
  })

  it('does not take an answer from before a change', () => {
    const cache = new JwtCache(10)
    const { epoch } = cache
    cache.apply({ kind: 'user', userId: 99 })
    cache.set('key0', identityOf('jti0'), 2000, { userIds: [1], jti: 'jti0' }, epoch)
    expect(heldOf(cache, 1)).toEqual([])
  })

  it('keeps what is in use, and drops what is named however often it moved', () => {
    const cache = new JwtCache(10)
    cache.set('key0', identityOf('jti0'), 2000, { userIds: [1], jti: 'jti0' }, cache.epoch)
    for (let index = 1; index < 1000; index += 1) {
      const names = { userIds: [2], jti: `jti${index}` }
      cache.set(`key${index}`, identityOf(names.jti), 2000, names, cache.epoch)
      expect(cache.get('key0', TIMES)).toBeDefined()
    }
    cache.apply({ kind: 'jwt', jti: 'jti0' })
    expect(cache.get('key0', TIMES)).toBeUndefined()
    expect(cache.get('key999', TIMES)).toBeDefined()
  })

  it('answers nothing that has expired', () => {
    const cache = filled(10, 1)
    expect(cache.get('key0', { nowSeconds: 2000, leewaySeconds: 0 })).toBeUndefined()
    expect(cache.get('key0', { nowSeconds: 2000, leewaySeconds: 1 })).toBeDefined()
  })
})

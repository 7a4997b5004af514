import { describe, expect, it } from 'vitest'
import { defineScopes } from './define-scopes.js'

const scopes = defineScopes({
  'orders:read': 'See orders',
  'orders:write': 'Change orders',
  'orders.items:read': 'See what was ordered',
  'users:me:read': 'See yourself',
  openid: 'Know who you are',
})

describe('defineScopes', () => {
  it('knows the scopes that were declared and the wildcards above them, in its types too', () => {
    expect(scopes.grant('orders:read', 'openid', 'orders:read')).toEqual(['orders:read', 'openid'])
    expect(scopes.grant('orders:*', 'orders.items:*', 'users:*', 'users:me:*', '*')).toHaveLength(5)
    expect(scopes.has('orders:read', 'users:me:read').name).toBe('HasScope(orders:read, users:me:read)')
    expect(scopes.descriptions['orders:read']).toBe('See orders')
  })

  it('does not compile with a scope that is not there, and throws where nobody compiles', () => {
    // @ts-expect-error it is called orders:write
    expect(() => scopes.grant('orders:change')).toThrow(
      new TypeError("grant: there is no scope 'orders:change'"),
    )
    // @ts-expect-error nothing is below it
    expect(() => scopes.grant('openid:*')).toThrow(TypeError)
    // @ts-expect-error an action is no resource
    expect(() => scopes.grant('users:me:read:*')).toThrow(TypeError)
    // @ts-expect-error nobody declared it
    expect(scopes.descriptions['orders:change']).toBeUndefined()
    // @ts-expect-error it is called orders:write
    expect(() => scopes.has('orders:change')).toThrow(new TypeError("has: there is no scope 'orders:change'"))
    // @ts-expect-error wildcards are granted, not required
    expect(() => scopes.has('orders:*')).toThrow(TypeError)
  })

  it('parses what a caller asks for, and takes nothing else', () => {
    const asked: unknown = ['orders:*', 'openid', 'openid']
    const parsed: ReturnType<typeof scopes.grant> = scopes.parse(asked)
    expect(parsed).toEqual(['orders:*', 'openid'])
    expect(Object.isFrozen(parsed)).toBe(true)
    for (const wrong of ['orders:delete', 'admin:*', 'orders', 'toString', '__proto__']) {
      expect(scopes.isKnown(wrong)).toBe(false)
      expect(() => scopes.parse(['openid', wrong])).toThrow(
        expect.objectContaining({
          code: 'invalid',
          fields: { scopes: ['Item 2 is not one of the scopes that exist here.'] },
        }),
      )
    }
  })

  it('cannot be changed afterwards', () => {
    const words = { 'a:b': 'One' }
    const defined = defineScopes(words)
    words['a:b'] = 'Another'
    expect(defined.descriptions).toEqual({ 'a:b': 'One' })
    expect(Object.isFrozen(defined) && Object.isFrozen(defined.descriptions)).toBe(true)
  })

  it.each(['orders read', 'orders:*', '*', ''])('refuses to declare %j', (scope) => {
    expect(() => defineScopes({ [scope]: '' })).toThrow(/^defineScopes: '.*' is not one scope$/)
  })
})

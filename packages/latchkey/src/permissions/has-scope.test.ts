import { describe, expect, it } from 'vitest'
import type { Identity, User } from '../identity.js'
import { type Token, toToken } from '../tokens/token.js'
import { all, any, not } from './combine.js'
import { hasScope } from './has-scope.js'

const user: User = {
  id: 1,
  username: 'vitor',
  email: '',
  isActive: true,
  isStaff: false,
  isSuperuser: true,
  dateJoined: new Date(0),
  lastLogin: null,
}
const request = { method: 'GET', path: '/' }

const tokenWith = (scopes: readonly string[] | null): Token =>
  toToken({
    id: 1,
    policy: 'personal',
    userId: 1,
    digest: new Uint8Array(32),
    hint: 'lk_pat_…1234',
    name: '',
    scopes,
    allowedAddresses: null,
    createdAt: new Date(0),
    expiresAt: null,
    previous: null,
  })

const allowed = (auth: unknown, permission = hasScope('orders:read')) =>
  permission.allows({ user, auth } satisfies Identity, request)

describe('hasScope', () => {
  it.each([
    ['a token with the scope', tokenWith(['a', 'orders:read']), true],
    ['a token with a scope above', tokenWith(['orders:*']), true],
    ['a token with another scope', tokenWith(['orders:write']), false],
    ['a token with none', tokenWith([]), false],
    ['a token that is not restricted', tokenWith(null), true],
    ['a password or a session', null, true],
    ['a JWT that says nothing of scopes', { user_id: 1, jti: 'x' }, true],
    ['a JWT with the scope', { scope: 'openid orders:read' }, true],
    ['a JWT with another scope', { scope: 'openid orders:readonly' }, false],
    ['a JWT with an empty scope', { scope: '' }, false],
    ['a JWT with a list of scopes', { scopes: ['orders:read'] }, true],
    ['a JWT with a list of others', { scopes: ['orders:write'] }, false],
    ['a JWT whose scope is a list', { scope: ['orders:read'] }, true],
    ['a JWT whose scopes are a text', { scopes: 'a orders:read' }, true],
    ['a JWT whose list is null, as some issuers write an empty one', { scopes: null }, false],
    ['claims that look like a token', JSON.parse(JSON.stringify(tokenWith(null))), false],
    ['claims with a token as their prototype', Object.create(tokenWith(null)), false],
    ['a copy of a token by the app', { ...tokenWith(null) }, true],
    ['a JWT whose scope is null', { scope: null }, false],
    ['a JWT whose scope is something else', { scope: { 'orders:read': true } }, false],
    ['a JWT whose scopes are something else', { scopes: 1 }, false],
    ['a list with something else in it', { scopes: [1, null, ['orders:read']] }, false],
    ['both, of which scope is the standard', { scope: 'a', scopes: ['orders:read'] }, false],
    [
      'an own kind with a getter',
      new (class {
        get scopes() {
          return ['a']
        }
      })(),
      false,
    ],
  ])('%s', (_, auth, expected) => expect(allowed(auth)).toBe(expected))

  it('never allows nobody', () => {
    expect(hasScope('orders:read').allows({ user: null, auth: null }, request)).toBe(false)
    expect(hasScope('orders:read').allows({ user: null, auth: tokenWith(null) }, request)).toBe(false)
  })

  it('does not take the rights of the user for the scopes of the token', () => {
    expect(user.isSuperuser).toBe(true)
    expect(allowed(tokenWith([]))).toBe(false)
  })

  it('requires all of its scopes', () => {
    const both = hasScope('orders:read', 'users:read')
    expect(allowed(tokenWith(['orders:read', 'users:*']), both)).toBe(true)
    expect(allowed(tokenWith(['orders:read']), both)).toBe(false)
    expect(allowed({ scope: 'users:read orders:read' }, both)).toBe(true)
  })

  it('combines with the others', () => {
    const either = any(hasScope('orders:read'), hasScope('users:read'))
    expect(allowed(tokenWith(['users:read']), either)).toBe(true)
    expect(allowed(tokenWith(['a']), either)).toBe(false)
    expect(allowed(tokenWith(['orders:read']), all(either, not(hasScope('users:read'))))).toBe(true)
    expect(all(hasScope('orders:read')).requiresUser).toBe(true)
  })

  it('sees the narrower scopes of the next token at once', () => {
    const scopes = ['orders:read']
    expect(allowed({ scopes })).toBe(true)
    scopes.pop()
    expect(allowed({ scopes })).toBe(false)
  })

  it('says what is missing', () => {
    expect(hasScope('orders:read', 'users:read')).toMatchObject({
      name: 'HasScope(orders:read, users:read)',
      requiresUser: true,
      message: 'This needs a token with the scope orders:read users:read.',
    })
  })

  it('refuses what is no scope, and none: it would let everybody in', () => {
    expect(() => hasScope('orders read')).toThrow(new TypeError("hasScope: 'orders read' is not a scope"))
    expect(() => Reflect.apply(hasScope, undefined, [])).toThrow(new TypeError('hasScope: needs a scope'))
  })
})

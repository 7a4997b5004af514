import { expect, it } from 'vitest'
import { completeJwtCookies, type JwtCookieOptions } from './jwt-cookies.js'

it('carries __Host- before both names, and loses it with Secure', () => {
  expect(completeJwtCookies()).toEqual({
    secure: true,
    accessName: '__Host-jwt_access',
    refreshName: '__Host-jwt_refresh',
  })
  expect(completeJwtCookies({ secure: false, accessName: 'a' })).toEqual({
    secure: false,
    accessName: 'a',
    refreshName: 'jwt_refresh',
  })
})

it.each<[JwtCookieOptions, string]>([
  [{ accessName: '' }, 'accessName'],
  [{ accessName: 'a b' }, 'accessName'],
  [{ accessName: 'a;b' }, 'accessName'],
  [{ refreshName: 'ä' }, 'refreshName'],
  [{ refreshName: '__Secure-refresh' }, 'refreshName'],
  [{ refreshName: 'jwt_access' }, 'refreshName'],
  [JSON.parse('{"secure":"no"}'), 'secure'],
])('refuses %j by the name of the option', (options, name) => {
  expect(() => completeJwtCookies(options)).toThrow(new RegExp(`^jwt.cookies.${name}:`))
})

import { expect, it } from 'vitest'
import { parseCookies, serializeCookie } from './cookies.js'

it.each([
  [undefined, []],
  ['', []],
  ['a=b', [['a', 'b']]],
  [
    'a=b; c=d',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['a=1; a=2', [['a', '2']]],
  ['a="b c"', [['a', 'b c']]],
  ['a="\\"\\073"', [['a', '";']]],
  ['a=b=c', [['a', 'b=c']]],
  [
    'broken; a=b',
    [
      ['', 'broken'],
      ['a', 'b'],
    ],
  ],
  [' a = b ;; ', [['a', 'b']]],
  ['__proto__=x', [['__proto__', 'x']]],
  // One character per byte, and they are UTF-8.
  ['a=\xc3\xa9', [['a', 'é']]],
  ['a=b\xa0', [['a', 'b\ufffd']]],
  ['a=\xc2\xa0b\xe3\x80\x80', [['a', 'b']]],
  // A browser takes such a name from any neighbour, whatever stands behind the blank.
  ['\xc2\xa0__Host-a=b', [['\xa0__Host-a', 'b']]],
  ['\x85__Host-a\xe2\x80\x83=b', [['\ufffd__Host-a\u2003', 'b']]],
  ['a=b\xc2\x85', [['a', 'b']]],
  ['a=b\xef\xbb\xbf', [['a', 'b\ufeff']]],
])('reads %j as Django does', (header, expected) => {
  expect([...parseCookies(header)]).toEqual(expected)
})

it('writes the attributes that keep a cookie at home', () => {
  expect(serializeCookie('sessionid', 'x', { maxAgeSeconds: 60, secure: true, httpOnly: true })).toBe(
    'sessionid=x; Max-Age=60; Path=/; SameSite=Lax; HttpOnly; Secure',
  )
})

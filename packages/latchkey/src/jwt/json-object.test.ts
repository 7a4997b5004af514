import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJsonObject } from './json-object.js'

const encode = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

describe('readJsonObject', () => {
  it.each([
    ['{}', {}],
    [' {\r\n\t"a" : [ 1 , 2.5 ] }\n', { a: [1, 2.5] }],
    ['{"a:b":"c:d","e\\":":"\\\\"}', { 'a:b': 'c:d', 'e":': '\\' }],
    [
      '{"a":{"x":1},"b":{"x":2},"c":[{"x":3},{"x":4}]}',
      { a: { x: 1 }, b: { x: 2 }, c: [{ x: 3 }, { x: 4 }] },
    ],
    [
      '{"n":9007199254740991,"m":-9007199254740991,"f":1.0,"g":1e3}',
      { n: 2 ** 53 - 1, m: 1 - 2 ** 53, f: 1, g: 1000 },
    ],
    ['{"é":"\\ud83d\\ude00 😀"}', { é: '😀 😀' }],
  ])('reads %s', (text, value) => {
    expect(readJsonObject(encode(text))).toEqual(value)
  })

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"":1,"":2}',
    '{"x":[{"a":1,"b":{"c":1,"c":2}}]}',
    '{"__proto__":1,"__proto__":2}',
    '{"a\\\\":1,"a\\u005c":2}',
  ])('refuses the name that comes twice in %s', (text) => {
    expect(JSON.parse(text)).toBeTypeOf('object')
    expect(readJsonObject(encode(text))).toBeUndefined()
  })

  it.each([
    '',
    'null',
    '1',
    '"{}"',
    '[]',
    '[{}]',
    '{',
    '{}x',
    '{}{}',
    "{'a':1}",
    '{"a":NaN}',
    '{"a":01}',
    '\ufeff{}',
  ])('refuses %j, which is no JSON object', (text) => {
    expect(readJsonObject(encode(text))).toBeUndefined()
  })

  it.each(['9007199254740993', '-9007199254740992', '18446744073709551616', '1e400', '-1e400', '1e20'])(
    'refuses the number %s, which would become another',
    (number) => {
      expect(readJsonObject(encode(`{"user_id":${number}}`))).toBeUndefined()
      expect(readJsonObject(encode(`{"a":[{"b":${number}}]}`))).toBeUndefined()
    },
  )

  it('reads 32 levels and refuses more, however many', () => {
    expect(readJsonObject(encode(nested(32)))).toBeDefined()
    expect(readJsonObject(encode(nested(33)))).toBeUndefined()
    expect(readJsonObject(encode(nested(200_000)))).toBeUndefined()
    expect(readJsonObject(encode(`{"a":${'['.repeat(200_000)}`))).toBeUndefined()
    expect(readJsonObject(encode(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`))).toBeUndefined()
  })

  it.each([
    ['padding', 'e30='],
    ['unused bits', 'e31'],
    ['the alphabet of plain base64', encode('{"a":"~~~>>>???"}').replaceAll('_', '/').replaceAll('-', '+')],
    ['a blank', 'e 30'],
    ['a line end', 'e30\n'],
    ['a lone character', 'e30e3'],
    ['a character outside ASCII', 'e30\u0430'],
  ])('refuses base64url with %s', (_, segment) => {
    expect(readJsonObject(segment)).toBeUndefined()
  })

  it.each([
    ['bytes that are no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
    ['an overlong form', Uint8Array.of(0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d)],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['NUL', Buffer.from('{"a":1}\0')],
  ])('refuses %s', (_, bytes) => {
    expect(readJsonObject(encode(bytes))).toBeUndefined()
  })

  it('keeps __proto__ an ordinary name', () => {
    const value = readJsonObject(encode('{"__proto__":{"admin":true}}'))
    expect(value).toBeDefined()
    expect(Object.keys(value ?? {})).toEqual(['__proto__'])
    expect(value?.admin).toBeUndefined()
  })

  it('reads every object of whole numbers, and answers undefined for everything else', () => {
    const members = fc.dictionary(
      fc.string({ unit: 'binary' }),
      fc.oneof(fc.string({ unit: 'binary' }), fc.integer()),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(members, fc.array(members))), (value) => {
        const text = JSON.stringify(value)
        expect(JSON.stringify(readJsonObject(encode(text)))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.base64String()), (segment) => {
        expect(['object', 'undefined']).toContain(typeof readJsonObject(segment))
      }),
    )
  })
})

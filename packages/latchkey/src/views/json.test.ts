import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatchkeyError } from '../errors.js'
import { JsonFloat, JsonSyntaxError, parseJson, pythonFloatText, stringifyJson } from './json.js'

function messageOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(JsonSyntaxError)
    return String((error as Error).message)
  }
  throw new Error('nothing was thrown')
}

describe('parseJson', () => {
  it('agrees with JSON.parse on every JSON text', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(parseJson(text)).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('accepts exactly what JSON.parse accepts, apart from byte order marks, on texts made of JSON pieces', () => {
    const piece = fc.constantFrom(
      ...'{}[],:"\\ \n\tu1-.eE0'.split(''),
      'true',
      'null',
      '"a"',
      '\\u00e9',
      '1.5',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          expect(() => parseJson(text)).toThrow(JsonSyntaxError)
          return
        }
        expect(parseJson(text)).toEqual(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['', 'Expecting value: line 1 column 1 (char 0)'],
    ['{"username":', 'Expecting value: line 1 column 13 (char 12)'],
    ["{'a':1}", 'Expecting property name enclosed in double quotes: line 1 column 2 (char 1)'],
    ['{"a":1,}', 'Expecting property name enclosed in double quotes: line 1 column 8 (char 7)'],
    ['{"a" 1}', "Expecting ':' delimiter: line 1 column 6 (char 5)"],
    ['{"a":1', "Expecting ',' delimiter: line 1 column 7 (char 6)"],
    ['[1,]', 'Expecting value: line 1 column 4 (char 3)'],
    ['["a', 'Unterminated string starting at: line 1 column 2 (char 1)'],
    ['["a\nb"]', 'Invalid control character at: line 1 column 4 (char 3)'],
    ['["\\x"]', 'Invalid \\escape: line 1 column 3 (char 2)'],
    ['["\\u12G4"]', 'Invalid \\uXXXX escape: line 1 column 4 (char 3)'],
    ['["\\ud800\\u12G4"]', 'Invalid \\uXXXX escape: line 1 column 10 (char 9)'],
    ['{} x', 'Extra data: line 1 column 4 (char 3)'],
    ['01', 'Extra data: line 1 column 2 (char 1)'],
    ['\ufeff{}', 'Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)'],
    ['[NaN]', "Out of range float values are not JSON compliant: 'NaN'"],
    ['-Infinity', "Out of range float values are not JSON compliant: '-Infinity'"],
    ['\n\n [x]', 'Expecting value: line 3 column 3 (char 4)'],
  ])('says what is wrong with %j in the words of Python', (text, message) => {
    expect(messageOf(() => parseJson(text))).toBe(message)
  })

  it('counts positions in code points, as Python does', () => {
    expect(messageOf(() => parseJson('["é🔑" 1]'))).toBe("Expecting ',' delimiter: line 1 column 7 (char 6)")
  })

  it('keeps __proto__, constructor and toString as ordinary members', () => {
    const value = parseJson('{"__proto__":{"admin":true},"constructor":1,"toString":2}') as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString'])
    expect('admin' in value).toBe(false)
    expect(stringifyJson(value)).toBe('{"__proto__":{"admin":true},"constructor":1,"toString":2}')
  })

  it('takes the last of repeated keys and keeps lone surrogates', () => {
    expect(parseJson('{"a":1,"a":2,"b":"\\ud800"}')).toEqual({ a: 2, b: '\ud800' })
  })

  it('refuses what is nested deeper than its bound, and reads what is not', () => {
    expect(() => parseJson(`${'['.repeat(900)}${']'.repeat(900)}`)).not.toThrow()
    expect(messageOf(() => parseJson(`${'['.repeat(901)}${']'.repeat(901)}`))).toMatch(/^too deeply nested/)
    expect(messageOf(() => parseJson('[[[]]]', { maxDepth: 2 }))).toMatch(/^too deeply nested/)
    expect(messageOf(() => parseJson('{"a":'.repeat(20_000)))).toMatch(/^too deeply nested/)
  })

  it('never lets a view see infinity in default mode', () => {
    expect(messageOf(() => parseJson('1e400'))).toMatch(/^Out of range/)
    expect(messageOf(() => parseJson(`-${'9'.repeat(400)}`))).toMatch(/^Out of range/)
  })

  it('refuses integers of more than 4300 digits', () => {
    expect(parseJson('9'.repeat(4300), { exactNumbers: true })).toBe(BigInt('9'.repeat(4300)))
    expect(messageOf(() => parseJson(`-${'9'.repeat(4301)}`, { exactNumbers: true }))).toMatch(
      /^Exceeds the limit/,
    )
  })

  it.each([
    ['1', '1'],
    ['-0', '0'],
    ['1.0', '1.0'],
    ['6.789e4', '67890.0'],
    ['1e16', '1e+16'],
    ['1e-5', '1e-05'],
    ['0.0001', '0.0001'],
    ['-0.0', '-0.0'],
    ['12345678901234567890', '12345678901234567890'],
    ['9007199254740993', '9007199254740993'],
    ['123456789012345680.0', '1.2345678901234568e+17'],
  ])('with exact numbers writes %s as Python does: %s', (text, written) => {
    expect(stringifyJson(parseJson(text, { exactNumbers: true }))).toBe(written)
  })

  it('with exact numbers gives plain numbers, BigInt and JsonFloat', () => {
    const [small, big, float] = parseJson('[5,18446744073709551616,1e400]', {
      exactNumbers: true,
    }) as unknown[]
    expect(small).toBe(5)
    expect(big).toBe(18446744073709551616n)
    expect(float).toBeInstanceOf(JsonFloat)
    expect(String(float)).toBe('inf')
  })

  it.each([
    ['open brackets', '['.repeat(900) + ' '.repeat(1_048_576)],
    ['one long string', `"${'a'.repeat(1_048_576)}"`],
    ['escapes', `"${'\\u0000'.repeat(174_762)}"`],
    ['digits', '1'.repeat(1_048_576)],
    ['a long fraction', `0.${'1'.repeat(1_048_576)}`],
    ['many big integers', `[${`${'9'.repeat(4300)},`.repeat(243)}0]`],
    ['the same key', `{${'"a":1,'.repeat(174_762)}"a":1}`],
    ['keys that are numbers', `{${Array.from({ length: 80_000 }, (_, i) => `"${i * 7919}":0`).join()}}`],
    ['one error at the end', `${' \n'.repeat(524_288)}x`],
  ])('takes linear time for a MiB of %s', (_, text) => {
    const begin = performance.now()
    try {
      parseJson(text, { exactNumbers: true })
    } catch (error) {
      expect(error).toBeInstanceOf(JsonSyntaxError)
    }
    expect(performance.now() - begin).toBeLessThan(2000)
  })
})

describe('pythonFloatText', () => {
  it('reads back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(pythonFloatText(value))).toBe(value)
        expect(pythonFloatText(value)).toMatch(/^-?\d+(\.\d+)?(e[-+]\d{2,3})?$/)
      }),
    )
  })
})

describe('stringifyJson', () => {
  it('is read back by JSON.parse as the same value, compact or indented', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 0, max: 8 }), (value, indent) => {
        const text = JSON.stringify(value)
        expect(JSON.parse(stringifyJson(value, indent))).toEqual(JSON.parse(text))
        expect(stringifyJson(value, indent)).toBe(
          JSON.stringify(value, null, indent).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029'),
        )
      }),
    )
  })

  it('writes raw UTF-8, escapes control characters and the line separators of JavaScript', () => {
    expect(stringifyJson('ü雪🔑\u2028\u2029\0\u0001\n\t\x7f"\\')).toBe(
      '"ü雪🔑\\u2028\\u2029\\u0000\\u0001\\n\\t\x7f\\"\\\\"',
    )
  })

  it('indents as DRF does and keeps empty containers on one line', () => {
    expect(stringifyJson({ a: 1, b: [], c: {}, d: [1, { e: null }] }, 4)).toBe(
      '{\n    "a": 1,\n    "b": [],\n    "c": {},\n    "d": [\n        1,\n        {\n            "e": null\n        }\n    ]\n}',
    )
  })

  it('writes dates with six digits of fraction, or none', () => {
    expect(stringifyJson([new Date('2026-11-22T08:46:55.863Z'), new Date('2026-11-22T08:46:55Z')])).toBe(
      '["2026-11-22T08:46:55.863000Z","2026-11-22T08:46:55Z"]',
    )
  })

  it('honours toJSON and leaves undefined members out', () => {
    const secret = { toJSON: () => '[secret]' }
    expect(stringifyJson({ secret, gone: undefined, list: [undefined] })).toBe(
      '{"secret":"[secret]","list":[null]}',
    )
  })

  const cycle: Record<string, unknown> = {}
  cycle.self = [cycle, cycle]
  it.each([
    ['NaN', Number.NaN],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['a cycle', cycle],
    ['nothing', undefined],
    ['a Map', new Map()],
    ['bytes', new Uint8Array(3)],
    ['an invalid date', new Date(Number.NaN)],
  ])('refuses %s with a TypeError', (_, value) => {
    expect(() => stringifyJson(value)).toThrow(TypeError)
  })

  it('blames the caller for an infinity that came as JSON', () => {
    const data = parseJson('{"a":1e999}', { exactNumbers: true })
    expect(() => stringifyJson(data)).toThrow(LatchkeyError)
    expect(() => stringifyJson(data)).toThrow(/Out of range/)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatchkeyError } from '../../errors.js'
import { formParser } from './form.js'
import { jsonParser } from './json.js'
import { multipartParser } from './multipart.js'
import { parseBody, selectParser } from './parser.js'
import { base64Bytes, UploadedFile } from './uploaded-file.js'

const PARSERS = [formParser(), multipartParser(), jsonParser({ exactNumbers: true })]

/** Text as UTF-8, or one byte per character with `latin1`. */
const bytes = (text: string) => new TextEncoder().encode(text)
const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))

function parse(body: string | Uint8Array, contentType?: string): unknown {
  try {
    return parseBody(PARSERS, typeof body === 'string' ? bytes(body) : body, contentType)
  } catch (error) {
    if (error instanceof LatchkeyError) return `${error.status} ${error.publicMessage}`
    throw error
  }
}

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

describe('parseBody', () => {
  it('reads an empty body as an empty object, whatever its type', () => {
    for (const type of [undefined, 'text/plain', JSON_TYPE, 'multipart/form-data'])
      expect(parse('', type)).toEqual({})
  })

  it.each([
    ['text/csv', 'text/csv'],
    [undefined, ''],
    ['json', 'json'],
    ['application/vnd.api+json', 'application/vnd.api+json'],
    ['a\tb', 'a\tb'],
    ['x'.repeat(300), 'x'.repeat(300)],
  ])('refuses the type %j by its name', (type, quoted) => {
    expect(parse('x', type)).toBe(`415 Unsupported media type "${quoted}" in request.`)
  })

  it.each([
    ['APPLICATION/JSON', 2],
    ['application/json;', 2],
    ['application/json; charset="utf-8"', 2],
    ['*/*', 0],
    ['application/*', 0],
    ['multipart/*', 1],
  ])('reads %s with the first parser that fits', (type, index) => {
    expect(selectParser(PARSERS, type)).toBe(PARSERS[index])
  })

  it('gives a value or a refusal of the caller for any bytes and any type', () => {
    const type = fc.oneof(
      fc.constantFrom(JSON_TYPE, FORM_TYPE, 'multipart/form-data; boundary=b', 'multipart/form-data', '*/*'),
      fc.string({ unit: 'binary' }).map((text) => `multipart/form-data; boundary=b; charset=${text}`),
      fc
        .constantFrom('utf-16', 'latin-1', 'ascii', 'cp1252', 'gbk')
        .map((name) => `${JSON_TYPE}; charset=${name}`),
      fc.string(),
    )
    const piece = fc.constantFrom(
      ...['--b', '--b--', '\r\n', '\r\n\r\n', 'Content-Disposition: form-data; name="a"', '; filename="x"'],
      ...['Content-Transfer-Encoding: base64', '%', '&', '=', '{', '"', '\\u', ':', '[', '1e999', '\xff'],
    )
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(piece, { maxLength: 30 }).map((pieces) => latin1(pieces.join(''))),
    )
    fc.assert(
      fc.property(body, type, (given, contentType) => {
        const begin = performance.now()
        try {
          parseBody(PARSERS, given, contentType)
        } catch (error) {
          expect(error).toBeInstanceOf(LatchkeyError)
          expect(Math.floor((error as LatchkeyError).status / 100)).toBe(4)
        }
        expect(performance.now() - begin).toBeLessThan(1000)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['a form of separators', '&'.repeat(1_048_576), FORM_TYPE],
    ['a form of percent signs', '%'.repeat(1_048_576), FORM_TYPE],
    ['a form of escapes', '%ff'.repeat(349_525), FORM_TYPE],
    [
      'a body of almost boundaries',
      `${'-'.repeat(200)}x`.repeat(5216),
      `multipart/form-data; boundary=${'-'.repeat(199)}`,
    ],
    ['a body of boundaries', '--b'.repeat(349_525), 'multipart/form-data; boundary=b'],
    [
      'base64',
      `--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n${'A'.repeat(1_048_576)}`,
      'multipart/form-data; boundary=b',
    ],
  ])('takes linear time for a MiB of %s', (_, body, type) => {
    const begin = performance.now()
    parse(body, type)
    expect(performance.now() - begin).toBeLessThan(2000)
  })
})

describe('jsonParser', () => {
  it('says what is wrong in the words of Python', () => {
    expect(parse('{"username":', JSON_TYPE)).toBe(
      '400 JSON parse error - Expecting value: line 1 column 13 (char 12)',
    )
    expect(parse(latin1('{"a":"\xff"}'), JSON_TYPE)).toBe(
      "400 JSON parse error - 'utf-8' codec can't decode byte 0xff in position 6: invalid start byte",
    )
    expect(parse('\ufeff{}', JSON_TYPE)).toBe(
      '400 JSON parse error - Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)',
    )
  })

  it('reads the charset of the content type, and UTF-8 for an unknown one', () => {
    expect(parse(latin1('{"a":"\xfc"}'), `${JSON_TYPE}; charset=iso-8859-1`)).toEqual({ a: 'ü' })
    expect(parse(latin1('\xff\xfe{\0}\0'), `${JSON_TYPE}; charset=utf-16`)).toEqual({})
    expect(parse('{"a":"ü"}', `${JSON_TYPE}; charset=nonsense`)).toEqual({ a: 'ü' })
  })

  it('refuses an option of a wrong type', () => {
    const options: unknown = { exactNumbers: 'yes' }
    expect(() => jsonParser(options as object)).toThrow(/exactNumbers/)
  })
})

describe('formParser', () => {
  it.each([
    ['username=vitor&password=open+sesame%201', { username: 'vitor', password: 'open sesame 1' }],
    ['a=1&a=2', { a: '2' }],
    ['a=1&a=', { a: '' }],
    ['a&b', { a: '', b: '' }],
    ['a=1;b=2', { a: '1;b=2' }],
    ['%%%&&&==="', { '%%%': '', '': '=="' }],
    ['a=%FC', { a: '\ufffd' }],
    ['a=%00', { a: '\0' }],
    ['a=b=c', { a: 'b=c' }],
    ['{"a":1}', { '{"a":1}': '' }],
  ])('reads %j', (body, expected) => {
    expect(parse(body, FORM_TYPE)).toEqual(expected)
  })

  it('reads percent escapes in the charset of the content type', () => {
    expect(parse('a=%FC', `${FORM_TYPE}; charset=iso-8859-1`)).toEqual({ a: 'ü' })
  })

  it('reads raw bytes that are not UTF-8 as Latin-1', () => {
    expect(parse(latin1('a=\xfc'), FORM_TYPE)).toEqual({ a: 'ü' })
  })

  it('reads 1000 fields and refuses 1001', () => {
    expect(
      Object.keys(parse(Array.from({ length: 1000 }, (_, i) => `f${i}=`).join('&'), FORM_TYPE) as object),
    ).toHaveLength(1000)
    expect(parse('&'.repeat(1000), FORM_TYPE)).toBe('400 Form parse error - too many fields')
  })

  it('keeps __proto__ harmless', () => {
    const data = parse('__proto__=x&constructor=y', FORM_TYPE) as object
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
    expect(Object.entries(data)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })
})

describe('multipartParser', () => {
  const TYPE = 'multipart/form-data; boundary=bound'
  const part = (headers: string, content: string) => `--bound\r\n${headers}\r\n\r\n${content}\r\n`
  const field = (name: string, content: string) =>
    part(`Content-Disposition: form-data; name="${name}"`, content)
  const END = '--bound--\r\n'

  it('reads fields, of a repeated one the last', () => {
    expect(parse(`${field('a', '1')}${field('b', 'zwei\r\nü')}${field('a', '3')}${END}`, TYPE)).toEqual({
      a: '3',
      b: 'zwei\r\nü',
    })
  })

  it('reads a field whose end is missing, and line feeds alone before a boundary', () => {
    expect(parse(field('a', '1').trimEnd(), TYPE)).toEqual({ a: '1' })
    expect(parse('--bound\r\nContent-Disposition: form-data; name=a\r\n\r\n1\n--bound--', TYPE)).toEqual({
      a: '1',
    })
  })

  it('reads the text before the first boundary as a part, as Django does', () => {
    const body = `${field('username', 'vitor')}${field('password', 'x')}${END}`
    const data = parse(body, 'multipart/form-data; boundary=other') as Record<string, unknown>
    expect(Object.keys(data)).toEqual(['username'])
  })

  it('makes files of parts with a file name, which win over fields of that name', () => {
    const file = part(
      'Content-Disposition: form-data; name="a"; filename="C:\\dir/ü.txt"\r\nContent-Type: Text/Plain; x=1',
      'data',
    )
    const { a } = parse(`${file}${field('a', 'text')}${END}`, TYPE) as { a: UploadedFile }
    expect(a).toBeInstanceOf(UploadedFile)
    expect([a.name, a.contentType, new TextDecoder().decode(a.bytes)]).toEqual([
      'ü.txt',
      'text/plain',
      'data',
    ])
    expect(JSON.stringify(a)).toBe('{"name":"ü.txt","contentType":"text/plain","sizeBytes":4}')
  })

  it('takes an empty file name for a field and skips a file without a usable name', () => {
    const named = (name: string) => part(`Content-Disposition: form-data; name="a"; filename="${name}"`, 'x')
    expect(parse(`${named('')}${END}`, TYPE)).toEqual({ a: 'x' })
    expect(parse(`${named('dir/..')}${END}`, TYPE)).toEqual({})
  })

  it('keeps a file only when something comes behind it, and when it has a name', () => {
    const file = part('Content-Disposition: form-data; name="a"; filename="f"', 'x')
    expect(parse(`${file}${END}`, TYPE)).toHaveProperty('a.name', 'f')
    expect(parse(`${file}--bound--`, TYPE)).toHaveProperty('a.name', 'f')
    for (const end of ['', '--bound'])
      expect(parse(`${field('a', 'text')}${file}${end}`, TYPE)).toEqual({ a: 'text' })
    for (const name of ['', ' ']) {
      const nameless = part(`Content-Disposition: form-data; name="${name}"; filename="f"`, 'x')
      expect(parse(`${nameless}${END}`, TYPE)).toEqual({})
      expect(parse(`${field(name, 'x')}${END}`, TYPE)).toEqual({ '': 'x' })
    }
  })

  it('shortens a file name to 255 characters, and keeps its extension', () => {
    const named = (name: string) => {
      const file = part(`Content-Disposition: form-data; name="a"; filename="${name}"`, 'x')
      return (parse(`${file}${END}`, TYPE) as { a: UploadedFile }).a.name
    }
    expect(named(`${'x'.repeat(300)}.txt`)).toBe(`${'x'.repeat(251)}.txt`)
    expect(named('x'.repeat(300))).toBe('x'.repeat(255))
    expect(named('x'.repeat(255))).toBe('x'.repeat(255))
  })

  it('ignores a line of a part with a parameter whose name is not ASCII', () => {
    const odd = part('Content-Disposition: form-data; name="a"; \xb7x=1', '1')
    expect(parse(latin1(`${odd}${field('b', '2')}${END}`), TYPE)).toEqual({ b: '2' })
  })

  it('strips field names, reads extended names, and keeps __proto__ harmless', () => {
    const extended = part("Content-Disposition: form-data; name*=utf-8''%C3%BC", '1')
    const data = parse(`${extended}${field(' b ', '2')}${field('__proto__', '3')}${END}`, TYPE) as object
    expect(Object.entries(data)).toEqual([
      ['ü', '1'],
      ['b', '2'],
      ['__proto__', '3'],
    ])
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype)
  })

  it('decodes base64 fields, takes wrong base64 as it is, and refuses it in a file', () => {
    const encoded = (content: string, filename = '') =>
      `${part(`Content-Disposition: form-data; name="a"${filename}\r\nContent-Transfer-Encoding: Base64`, content)}${END}`
    expect(parse(encoded('w7w='), TYPE)).toEqual({ a: 'ü' })
    expect(parse(encoded('w7w'), TYPE)).toEqual({ a: 'w7w' })
    for (const wrong of ['w7w', '=', 'YQ==!', '!YQ==']) {
      expect(parse(encoded(wrong, '; filename=f'), TYPE)).toBe(
        '400 Multipart form parse error - Could not decode base64 data.',
      )
    }
    expect(parse(encoded('Y Q\n= =', '; filename=f'), TYPE)).toHaveProperty('a.bytes', bytes('a'))
  })

  it('ignores parts without a name, or whose headers do not end in 1024 bytes', () => {
    const long = part(`X: ${'x'.repeat(1024)}\r\nContent-Disposition: form-data; name="a"`, '1')
    expect(
      parse(`${long}${part('Content-Disposition: form-data', '2')}${field('b', '3')}${END}`, TYPE),
    ).toEqual({ b: '3' })
  })

  it('reads 1000 fields and 100 files, and refuses more', () => {
    const fields = (count: number) => field('a', '1').repeat(count) + END
    const files = (count: number) =>
      part('Content-Disposition: form-data; name=a; filename=f', '').repeat(count) + END
    expect(parse(fields(1000), TYPE)).toEqual({ a: '1' })
    expect(parse(fields(1001), TYPE)).toBe('400 Multipart form parse error - too many fields')
    expect(parse(files(100), TYPE)).toHaveProperty('a.name', 'f')
    expect(parse(files(101), TYPE)).toBe('400 Multipart form parse error - too many files')
  })

  it.each([
    ['multipart/form-data', 'Invalid boundary in multipart: None'],
    ['multipart/form-data; boundary=', 'Invalid boundary in multipart: '],
    [`multipart/form-data; boundary=${'x'.repeat(202)}`, `Invalid boundary in multipart: ${'x'.repeat(202)}`],
    [
      'multipart/form-data; boundary=\xfc',
      'Invalid non-ASCII Content-Type in multipart: multipart/form-data; boundary=\xfc',
    ],
    ['Multipart/form-data; boundary=b', 'Invalid Content-Type: Multipart/form-data; boundary=b'],
  ])('refuses the content type %j', (type, message) => {
    expect(parse('x', type)).toBe(`400 Multipart form parse error - ${message}`)
  })

  it('reads back whatever fields a client encodes', async () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.string({ unit: 'grapheme' })), async (fields) => {
        const form = new FormData()
        for (const [key, value] of Object.entries(fields)) form.set(key, value)
        const request = new Request('http://localhost/', { method: 'POST', body: form })
        const sent = [...form.keys()].length === 0 ? {} : Object.fromEntries(form)
        const type = request.headers.get('content-type') ?? undefined
        const data = parse(new Uint8Array(await request.arrayBuffer()), type) as Record<string, string>
        // FormData turns every line break into CR LF on the wire.
        const wire = Object.entries(sent).map(([key, value]) => [
          key,
          String(value).replace(/\r\n|\r|\n/g, '\r\n'),
        ])
        expect(data).toEqual(Object.fromEntries(wire))
      }),
      { numRuns: 100 },
    )
  })
})

describe('base64Bytes', () => {
  const text = (encoded: string) => {
    const decoded = base64Bytes(bytes(encoded))
    return decoded === null ? null : new TextDecoder().decode(decoded)
  }

  it.each([
    ['YWJj', 'abc'],
    ['Y W\r\nJ!j', 'abc'],
    ['YQ==YWJj', 'a'],
    ['YWI=', 'ab'],
    ['=YWJj', 'abc'],
    ['YQ=', null],
    ['Y', null],
    ['', ''],
  ])('reads %j as Python does', (encoded, expected) => {
    expect(text(encoded)).toBe(expected)
  })

  it('reads what the platform wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (given) => {
        expect(base64Bytes(bytes(btoa(String.fromCharCode(...given))))).toEqual(given)
      }),
    )
  })
})

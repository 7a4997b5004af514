import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Charset, CharsetError, findCharset, latin1Text, UTF_8 } from './charset.js'
import { formDecode, percentDecode } from './percent.js'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('UTF_8', () => {
  it('reads what TextEncoder wrote, and keeps a byte order mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = new TextEncoder().encode(`\ufeff${text}`)
        expect(UTF_8.strict(encoded, 'refuse')).toBe(`\ufeff${text}`)
        expect(UTF_8.lenient(encoded)).toBe(`\ufeff${text}`)
      }),
    )
  })

  it('refuses exactly the bytes that the platform refuses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (given) => {
        const isValid = (() => {
          try {
            new TextDecoder('utf-8', { fatal: true }).decode(given)
            return true
          } catch {
            return false
          }
        })()
        if (isValid) expect(() => UTF_8.strict(given, 'refuse')).not.toThrow()
        else expect(() => UTF_8.strict(given, 'refuse')).toThrow(CharsetError)
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    [[0x61, 0xff], 'byte 0xff in position 1: invalid start byte'],
    [[0xc0, 0xaf], 'byte 0xc0 in position 0: invalid start byte'],
    [[0xc3, 0x28], 'byte 0xc3 in position 0: invalid continuation byte'],
    [[0xe2, 0x82, 0x41], 'bytes in position 0-1: invalid continuation byte'],
    [[0xed, 0xa0, 0x80], 'byte 0xed in position 0: invalid continuation byte'],
    [[0x61, 0xe2, 0x82], 'bytes in position 1-2: unexpected end of data'],
    [[0xc3], 'byte 0xc3 in position 0: unexpected end of data'],
  ])('names the wrong bytes of %j as Python does', (given, message) => {
    expect(() => UTF_8.strict(bytes(...given), 'refuse')).toThrow(`'utf-8' codec can't decode ${message}`)
  })

  it('drops a character that is cut off at the end, if told to', () => {
    expect(UTF_8.strict(bytes(0x61, 0xe2, 0x82), 'drop')).toBe('a')
    expect(() => UTF_8.strict(bytes(0xe2, 0x82, 0x61), 'drop')).toThrow(CharsetError)
    expect(UTF_8.strict(bytes(0x61, 0xed, 0xa0), 'drop')).toBe('a')
    expect(() => UTF_8.strict(bytes(0xed, 0xa0, 0x61), 'drop')).toThrow(CharsetError)
    expect(() => UTF_8.strict(bytes(0x61, 0xe0, 0x80), 'drop')).toThrow(CharsetError)
  })
})

describe('findCharset', () => {
  it.each(['utf-8', 'UTF8', 'utf_8'])('knows %s', (name) => {
    expect(findCharset(name)).toBe(UTF_8)
  })

  it.each(['', 'nonsense', 'x-user-defined', 'replacement', 'utf-7', 'base64', '__proto__'])(
    'does not know %j',
    (name) => {
      expect(findCharset(name)).toBeUndefined()
    },
  )

  it('reads real Latin-1, not windows-1252', () => {
    expect(findCharset('ISO-8859-1')?.lenient(bytes(0x80, 0xfc))).toBe('\u0080ü')
    const windows1252 = findCharset('windows-1252')
    expect(windows1252?.strict(bytes(0x80, 0x9f, 0xfc), 'refuse')).toBe('€Ÿü')
    expect(windows1252?.lenient(bytes(0x81))).toBe('\ufffd')
    expect(() => windows1252?.strict(bytes(0x61, 0x81), 'refuse')).toThrow('byte 0x81 in position 1')
  })

  it('refuses bytes beyond ASCII in ASCII', () => {
    const ascii = findCharset('us-ascii')
    expect(ascii?.lenient(bytes(0x61, 0xff))).toBe('a\ufffd')
    expect(() => ascii?.strict(bytes(0x61, 0xff), 'drop')).toThrow(
      "'ascii' codec can't decode byte 0xff in position 1: ordinal not in range(128)",
    )
  })

  it('reads UTF-16 by its mark, and wants one of a stream', () => {
    const utf16 = findCharset('utf-16')
    expect(utf16?.strict(bytes(0xff, 0xfe, 0x61, 0), 'drop')).toBe('a')
    expect(utf16?.strict(bytes(0xfe, 0xff, 0, 0x61), 'drop')).toBe('a')
    expect(() => utf16?.strict(bytes(0x61, 0), 'drop')).toThrow('UTF-16 stream does not start with BOM')
    expect(utf16?.strict(bytes(0x61, 0), 'refuse')).toBe('a')
    expect(findCharset('utf-16-be')?.strict(bytes(0, 0x61), 'drop')).toBe('a')
  })

  it('finds a working decoder behind every name it knows', () => {
    const numbers = Array.from({ length: 20 }, (_, index) => index)
    const names = [
      ...['utf-8-sig', 'utf-16-le', 'koi8-r', 'shift_jis', 'sjis', 'euc-kr', 'eucjp', 'gbk', 'big5'],
      ...numbers.flatMap((n) => [`iso-8859-${n}`, `ISO8859_${n}`, `latin${n}`, `l${n}`]),
      ...numbers.flatMap((n) => [`cp125${n}`, `windows-125${n}`, `125${n}`, `cp${850 + n}`, `ibm${n}`]),
    ]
    const known = names.flatMap((name) => findCharset(name) ?? [])
    expect(known.length).toBeGreaterThan(60)
    for (const charset of known) {
      expect(charset.lenient(bytes(0x61)).length).toBeLessThan(2)
      expect(() => charset.lenient(bytes(0x61, 0x80, 0xff, 0xfe))).not.toThrow()
      try {
        charset.strict(bytes(0x61, 0x80, 0xff, 0xfe), 'drop')
      } catch (error) {
        expect(error).toBeInstanceOf(CharsetError)
      }
    }
  })

  it.each([
    ['iso8859-15', 0xa4, '€'],
    ['latin9', 0xa4, '€'],
    ['latin2', 0xb1, 'ą'],
    ['l5', 0xfd, 'ı'],
    ['csISOLatin1', 0xa4, '¤'],
  ])("knows Python's name %s", (name, byte, text) => {
    expect(findCharset(name)?.strict(bytes(byte), 'refuse')).toBe(text)
  })
})

describe('percentDecode', () => {
  it.each([
    ['a%20b', 'a b'],
    ['%C3%A9', 'é'],
    ['%FF', '\ufffd'],
    ['100%', '100%'],
    ['%zz%4', '%zz%4'],
    ['%C3é', '\ufffdé'],
  ])('reads %s as %s', (text, expected) => {
    expect(percentDecode(text, UTF_8)).toBe(expected)
  })

  it('is the inverse of encodeURIComponent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(percentDecode(encodeURIComponent(text), UTF_8)).toBe(text)
      }),
    )
  })
})

describe('latin1Text', () => {
  it('gives one character per byte, for many bytes too', () => {
    const many = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256)
    const text = latin1Text(many)
    expect(text).toHaveLength(100_000)
    expect(Uint8Array.from(text, (char) => char.charCodeAt(0))).toEqual(many)
  })
})

describe('the decoders of our own', () => {
  const random = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...[0x00, 0x41, 0x80, 0xbf, 0xc3, 0xd8, 0xdc, 0xe2, 0xed, 0xef, 0xbb, 0xf0, 0xfe, 0xff],
      ),
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 12 },
  )

  it.each([
    ['utf-8', 'utf-8'],
    ['utf-16-le', 'utf-16le'],
    ['utf-16-be', 'utf-16be'],
  ])('%s reads and refuses what the platform does', (name, label) => {
    const charset = findCharset(name)
    fc.assert(
      fc.property(random, (values) => {
        const given = bytes(...values)
        const lenient = new TextDecoder(label, { ignoreBOM: true })
        expect(charset?.lenient(given)).toBe(lenient.decode(given))
        const strict = (stream: boolean) =>
          new TextDecoder(label, { ignoreBOM: true, fatal: true }).decode(given, { stream })
        for (const cutOff of label === 'utf-8' ? (['refuse'] as const) : (['refuse', 'drop'] as const)) {
          let expected: string | undefined
          try {
            expected = strict(cutOff === 'drop')
          } catch {
            expected = undefined
          }
          if (expected === undefined) expect(() => charset?.strict(given, cutOff)).toThrow(CharsetError)
          else expect(charset?.strict(given, cutOff)).toBe(expected)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('formDecode', () => {
  /** As `urllib.parse.unquote` has it: run by run. */
  const byRuns = (text: string, charset: Charset) =>
    !text.includes('%')
      ? text
      : text.replace(/[\0-\x7f]+/g, (run) =>
          charset.lenient(
            Buffer.from(
              run.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
                String.fromCharCode(Number.parseInt(digits, 16)),
              ),
              'latin1',
            ),
          ),
        )

  it.each(['utf-8', 'latin1', 'ascii', 'windows-1252', 'koi8-r', 'utf-16', 'shift_jis', 'gbk', 'big5'])(
    'in %s decodes each run of ASCII for itself',
    (name) => {
      const charset = findCharset(name)
      const piece = fc.constantFrom(
        ...[
          '%41',
          '%e9',
          '%C3%A9',
          '%0a',
          '%0A',
          '%81',
          '%zz',
          '%',
          '%4',
          '+',
          'a',
          '\n',
          'é',
          '阿',
          '🔑',
          '\xff',
        ],
      )
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
          const text = pieces.join('')
          if (charset === undefined) expect.unreachable()
          expect(formDecode(text, charset)).toBe(byRuns(text.replaceAll('+', ' '), charset))
        }),
        { numRuns: 1000 },
      )
    },
  )
})

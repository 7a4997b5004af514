/** Bytes to text with the charset a caller names, as Python's codecs do it. Parsers and `media-type.ts` call it. */

import { brandError, CHARSET_ERROR_BRAND } from '../brand.js'

/** The bytes are not text in this charset; the message is Python's, without the bytes around the wrong one. */
export class CharsetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CharsetError'
    brandError(this, CHARSET_ERROR_BRAND)
  }
}

/**
 * What `strict` does with a character cut off at the very end: Python's stream readers (JSON bodies) leave it
 * unread, its `bytes.decode` (forms) refuses.
 */
export type CutOff = 'drop' | 'refuse'

/** A character encoding. Neither method removes a byte order mark, unless the encoding is defined by one. */
export interface Charset {
  /** Wrong bytes become U+FFFD. */
  lenient(bytes: Uint8Array): string
  /** @throws CharsetError for wrong bytes. */
  strict(bytes: Uint8Array, cutOff: CutOff): string
}

/** One character per byte: real ISO 8859-1, where `TextDecoder` would read windows-1252. */
export function latin1Text(bytes: Uint8Array): string {
  const chunk = 8192
  let text = ''
  for (let at = 0; at < bytes.length; at += chunk)
    text += String.fromCharCode(...bytes.subarray(at, at + chunk))
  return text
}

export const UTF_8: Charset = {
  lenient: (bytes) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
  strict: (bytes, cutOff) => {
    try {
      return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes)
    } catch (cause) {
      const wrong = utf8Fault(bytes)
      if (wrong === null) throw cause
      if (!(wrong.isCutOff && cutOff === 'drop')) throw new CharsetError(wrong.message)
      return UTF_8.lenient(bytes.subarray(0, wrong.start))
    }
  },
}

const LATIN_1: Charset = { lenient: latin1Text, strict: latin1Text }

const ASCII: Charset = {
  lenient: (bytes) => latin1Text(bytes).replace(/[^\0-\x7f]/g, '\ufffd'),
  strict: (bytes) => {
    const at = bytes.findIndex((byte) => byte > 0x7f)
    if (at < 0) return latin1Text(bytes)
    const byte = hex(bytes[at])
    throw new CharsetError(
      `'ascii' codec can't decode byte ${byte} in position ${at}: ordinal not in range(128)`,
    )
  },
}

const UTF_16: Charset = {
  lenient: (bytes) => decoder(hasBigEndianMark(bytes) ? 'utf-16be' : 'utf-16le', false).lenient(bytes),
  strict: (bytes, cutOff) => {
    const bigEndian = hasBigEndianMark(bytes)
    const marked = bigEndian || (bytes[0] === 0xff && bytes[1] === 0xfe)
    if (cutOff === 'drop' && !marked) throw new CharsetError('UTF-16 stream does not start with BOM')
    return decoder(bigEndian ? 'utf-16be' : 'utf-16le', false).strict(bytes, cutOff)
  },
}

/** What windows-1252 has at 0x80 to 0x9f; U+FFFD where it has nothing. Node 20's own decoder reads Latin-1 there. */
const WINDOWS_1252_SPECIALS = '€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ'

const WINDOWS_1252: Charset = {
  lenient: (bytes) =>
    latin1Text(bytes).replace(/[\x80-\x9f]/g, (char) =>
      WINDOWS_1252_SPECIALS.charAt(char.charCodeAt(0) - 0x80),
    ),
  strict: (bytes) => {
    const text = WINDOWS_1252.lenient(bytes)
    const at = text.indexOf('\ufffd')
    if (at < 0) return text
    const byte = hex(bytes[at])
    throw new CharsetError(
      `'charmap' codec can't decode byte ${byte} in position ${at}: character maps to <undefined>`,
    )
  },
}

function hasBigEndianMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && bytes[1] === 0xff
}

const LATIN_1_NAMES = [
  'iso-8859-1',
  'iso8859-1',
  'iso8859',
  'latin-1',
  'latin1',
  'latin',
  'l1',
  '8859',
  'cp819',
].concat(['ibm819', 'csisolatin1', 'iso-ir-100', 'iso-8859-1-1987'])
const ASCII_NAMES = ['ascii', 'us-ascii', '646', 'iso646-us', 'ansi-x3.4-1968', 'csascii', 'cp367', 'ibm367']

/** Python's names, lower case with `-` for `_` and blanks. */
const CHARSETS: ReadonlyMap<string, Charset> = new Map([
  ...['utf-8', 'utf8', 'u8', 'utf', 'cp65001'].map((name) => [name, UTF_8] as const),
  ...LATIN_1_NAMES.map((name) => [name, LATIN_1] as const),
  ...ASCII_NAMES.map((name) => [name, ASCII] as const),
  ...['utf-16', 'utf16', 'u16'].map((name) => [name, UTF_16] as const),
  ...['windows-1252', 'cp1252', '1252'].map((name) => [name, WINDOWS_1252] as const),
  ['utf-8-sig', decoder('utf-8', false)],
  ['utf-16-le', decoder('utf-16le', true)],
  ['utf-16le', decoder('utf-16le', true)],
  ['utf-16-be', decoder('utf-16be', true)],
  ['utf-16be', decoder('utf-16be', true)],
])

/** Encodings that `TextDecoder` and Python know by the same name; iso-8859-16 only newer versions of Node know. */
const SHARED_NAMES =
  /^(?:iso-8859-(?:[2-9]|1[0134-5])|windows-125[0134-8]|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5|ibm866)$/

/** Python's other names for these. */
const ALIASES: ReadonlyArray<readonly [name: RegExp, encoding: string]> = [
  [/^iso-?8859-(\d+)$/, 'iso-8859-$1'],
  [/^(?:latin|l)-?([234])$/, 'iso-8859-$1'],
  [/^(?:latin|l)-?5$/, 'iso-8859-9'],
  [/^(?:latin|l)-?6$/, 'iso-8859-10'],
  [/^(?:latin|l)-?7$/, 'iso-8859-13'],
  [/^(?:latin|l)-?8$/, 'iso-8859-14'],
  [/^(?:latin|l)-?9$/, 'iso-8859-15'],
  [/^(?:cp|windows-)?(125\d)$/, 'windows-$1'],
  [/^(?:cp|ibm)?866$/, 'ibm866'],
  [/^(?:shift-jis|shiftjis|sjis|s-jis)$/, 'shift_jis'],
  [/^euc-?(jp|kr)$/, 'euc-$1'],
]

/** The charset of that name, as in `Content-Type: …; charset=NAME`; undefined if there is none. */
export function findCharset(name: string): Charset | undefined {
  const key = name.toLowerCase().replace(/[_ :]/g, '-')
  const known = CHARSETS.get(key)
  if (known !== undefined) return known
  const [alias, encoding] = ALIASES.find(([one]) => one.test(key)) ?? []
  const label = alias === undefined ? key : key.replace(alias, String(encoding))
  return SHARED_NAMES.test(label) ? decoder(label, true) : undefined
}

function decoder(label: string, ignoreBOM: boolean): Charset {
  return {
    lenient: (bytes) => new TextDecoder(label, { ignoreBOM }).decode(bytes),
    strict: (bytes, cutOff) => {
      try {
        // `stream` leaves an unfinished character unread instead of refusing it.
        return new TextDecoder(label, { ignoreBOM, fatal: true }).decode(bytes, { stream: cutOff === 'drop' })
      } catch {
        throw new CharsetError(`'${label}' codec can't decode the body: illegal encoding`)
      }
    },
  }
}

/**
 * Percent escapes to text: each run of ASCII characters is decoded as bytes of the charset, a `%` without two hex
 * digits stays, characters beyond ASCII stay (Python's `urllib.parse.unquote`).
 */
export function percentDecode(text: string, charset: Charset): string {
  if (!text.includes('%')) return text
  return text.replace(/[\0-\x7f]+/g, (run) => charset.lenient(percentBytes(run)))
}

function percentBytes(ascii: string): Uint8Array {
  const bytes = new Uint8Array(ascii.length)
  let length = 0
  for (let at = 0; at < ascii.length; at++) {
    const isEscape = ascii[at] === '%' && /^[0-9a-fA-F]{2}$/.test(ascii.slice(at + 1, at + 3))
    bytes[length++] = isEscape ? Number.parseInt(ascii.slice(at + 1, at + 3), 16) : ascii.charCodeAt(at)
    if (isEscape) at += 2
  }
  return bytes.subarray(0, length)
}

interface Fault {
  readonly start: number
  readonly isCutOff: boolean
  readonly message: string
}

/** The first byte sequence that is not UTF-8, described as Python's decoder describes it; null if there is none. */
function utf8Fault(bytes: Uint8Array): Fault | null {
  let at = 0
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0
    if (lead < 0x80) {
      at++
      continue
    }
    const length = sequenceLength(lead)
    if (length === 0) return fault(bytes, at, at + 1, 'invalid start byte')
    for (let index = 1; index < length; index++) {
      const byte = bytes[at + index]
      if (byte === undefined) return fault(bytes, at, bytes.length, 'unexpected end of data')
      const [low, high] = index === 1 ? secondByteRange(lead) : [0x80, 0xbf]
      // Python's reader takes half a surrogate at the very end for a character that is still to come.
      const isHalfSurrogate = lead === 0xed && index === 1 && byte > high && byte <= 0xbf
      if (isHalfSurrogate && at + 2 === bytes.length)
        return fault(bytes, at, at + 2, 'unexpected end of data')
      if (byte < low || byte > high) return fault(bytes, at, at + index, 'invalid continuation byte')
    }
    at += length
  }
  return null
}

function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2
  if (lead >= 0xe0 && lead <= 0xef) return 3
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
}

/** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
const SECOND_BYTES = new Map<number, readonly [number, number]>([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
])

function secondByteRange(lead: number): readonly [number, number] {
  return SECOND_BYTES.get(lead) ?? [0x80, 0xbf]
}

function fault(bytes: Uint8Array, start: number, end: number, reason: string): Fault {
  const what =
    end - start === 1
      ? `byte ${hex(bytes[start])} in position ${start}`
      : `bytes in position ${start}-${end - 1}`
  const isCutOff = reason === 'unexpected end of data'
  return { start, isCutOff, message: `'utf-8' codec can't decode ${what}: ${reason}` }
}

function hex(byte = 0): string {
  return `0x${byte.toString(16).padStart(2, '0')}`
}

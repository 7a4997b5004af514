/** Bytes to text with the charset a caller names, as Python's codecs do it. Parsers and `media-type.ts` call it. */
import { isAscii, isUtf8 } from 'node:buffer'
import { brandError, CHARSET_ERROR_BRAND } from '../brand.js'
import { tableText, utf8Text, utf16Text } from './code-units.js'

/** The bytes are not text in this charset; the message is Python's, without the bytes around the wrong one. */
export class CharsetError extends Error {
  // A field, for an assignment fails where a program has frozen Error.prototype.
  override readonly name: string = 'CharsetError'
  constructor(message: string) {
    super(message)
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
  /** The code unit of each byte, where each byte is a character and the first 128 are ASCII; undefined elsewhere. */
  readonly table?: Uint16Array
  readonly isUtf8?: true
  /** True: the byte 0x0a is a line feed wherever it stands, and no part of another character. */
  readonly hasPlainNewline?: boolean
}

/** One character per byte: real ISO 8859-1, where `TextDecoder` would read windows-1252. */
export function latin1Text(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('latin1')
}

/** The same bytes, with Node's methods. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

export const UTF_8: Charset = {
  isUtf8: true,
  // As `TextDecoder` without the removal of a byte order mark, in a fraction of the time.
  lenient: (bytes) => (isUtf8(bytes) ? UTF_8.strict(bytes, 'refuse') : bufferOf(bytes).toString('utf8')),
  strict: (bytes, cutOff) => {
    const wrong = isUtf8(bytes) ? null : utf8Fault(bytes)
    if (wrong === null) return isAscii(bytes) ? latin1Text(bytes) : utf8Text(bytes)
    if (!(wrong.isCutOff && cutOff === 'drop')) throw new CharsetError(wrong.message)
    return UTF_8.lenient(bytes.subarray(0, wrong.start))
  },
}

const REPLACEMENT = 0xfffd

function byteTable(characterOf: (byte: number) => number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => characterOf(byte))
}

/** Where the first byte is that has no character; -1: nowhere. */
function missingAt(bytes: Uint8Array, table: Uint16Array): number {
  for (let at = 0; at < bytes.length; at++) if (table[bytes[at] ?? 0] === REPLACEMENT) return at
  return -1
}

const LATIN_1: Charset = { lenient: latin1Text, strict: latin1Text, table: byteTable((byte) => byte) }

const ASCII_TABLE = byteTable((byte) => (byte < 0x80 ? byte : REPLACEMENT))

const ASCII: Charset = {
  table: ASCII_TABLE,
  lenient: (bytes) => tableText(bytes, ASCII_TABLE),
  strict: (bytes) => {
    const at = missingAt(bytes, ASCII_TABLE)
    if (at < 0) return latin1Text(bytes)
    const byte = hex(bytes[at])
    throw new CharsetError(
      `'ascii' codec can't decode byte ${byte} in position ${at}: ordinal not in range(128)`,
    )
  },
}

const UTF_16: Charset = {
  lenient: (bytes) => utf16(hasBigEndianMark(bytes), false).lenient(bytes),
  strict: (bytes, cutOff) => {
    const bigEndian = hasBigEndianMark(bytes)
    const marked = bigEndian || (bytes[0] === 0xff && bytes[1] === 0xfe)
    if (cutOff === 'drop' && !marked) throw new CharsetError('UTF-16 stream does not start with BOM')
    return utf16(bigEndian, false).strict(bytes, cutOff)
  },
}

/** What windows-1252 has at 0x80 to 0x9f; U+FFFD where it has nothing. Node 20's own decoder reads Latin-1 there. */
const WINDOWS_1252_SPECIALS = '€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ'

const WINDOWS_1252_TABLE = byteTable((byte) =>
  byte >= 0x80 && byte <= 0x9f ? WINDOWS_1252_SPECIALS.charCodeAt(byte - 0x80) : byte,
)

const WINDOWS_1252: Charset = {
  table: WINDOWS_1252_TABLE,
  lenient: (bytes) => tableText(bytes, WINDOWS_1252_TABLE),
  strict: (bytes) => {
    const at = missingAt(bytes, WINDOWS_1252_TABLE)
    if (at < 0) return WINDOWS_1252.lenient(bytes)
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
  ['utf-8-sig', { ...decoder('utf-8', false), isUtf8: true }],
  ...['utf-16-le', 'utf-16le'].map((name) => [name, utf16(false, true)] as const),
  ...['utf-16-be', 'utf-16be'].map((name) => [name, utf16(true, true)] as const),
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
  return SHARED_NAMES.test(label) ? knownDecoder(label) : undefined
}

const KNOWN_DECODERS = new Map<string, Charset>()

/** One for each label: making a decoder takes as long as decoding some kilobytes. There are less than fifty labels. */
function knownDecoder(label: string): Charset {
  const known = KNOWN_DECODERS.get(label) ?? withTable(decoder(label, true), label)
  KNOWN_DECODERS.set(label, known)
  return known
}

const SINGLE_BYTE = /^(?:iso-8859-|windows-|koi8-|ibm866)/

function withTable(charset: Charset, label: string): Charset {
  if (!SINGLE_BYTE.test(label)) return { ...charset, hasPlainNewline: true }
  const characters = charset.lenient(Uint8Array.from({ length: 256 }, (_, byte) => byte))
  return { ...charset, table: byteTable((byte) => characters.charCodeAt(byte)) }
}

/** UTF-16 of one byte order. A byte order mark is removed unless it is ignored. */
function utf16(isBigEndian: boolean, ignoreBOM: boolean): Charset {
  const unmarked = (text: string) => (!ignoreBOM && text.startsWith('\ufeff') ? text.slice(1) : text)
  return {
    lenient: (bytes) => {
      const { text, isCutOff } = utf16Text(bytes, isBigEndian)
      return unmarked(text.toWellFormed()) + (isCutOff ? '\ufffd' : '')
    },
    strict: (bytes, cutOff) => {
      const { text, isCutOff } = utf16Text(bytes, isBigEndian)
      if (text.isWellFormed() && (!isCutOff || cutOff === 'drop')) return unmarked(text)
      const label = isBigEndian ? 'utf-16be' : 'utf-16le'
      throw new CharsetError(`'${label}' codec can't decode the body: illegal encoding`)
    },
  }
}

function decoder(label: string, ignoreBOM: boolean): Charset {
  const lenient = new TextDecoder(label, { ignoreBOM })
  return {
    lenient: (bytes) => lenient.decode(bytes),
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
      const low = index === 1 ? lowestSecond(lead) : 0x80
      const high = index === 1 ? highestSecond(lead) : 0xbf
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
function lowestSecond(lead: number): number {
  if (lead === 0xe0) return 0xa0
  return lead === 0xf0 ? 0x90 : 0x80
}

function highestSecond(lead: number): number {
  if (lead === 0xed) return 0x9f
  return lead === 0xf4 ? 0x8f : 0xbf
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

/** Percent escapes of forms, queries and header parameters, in linear time for every text and charset. */
import type { Charset } from './charset.js'
import { unitsText } from './code-units.js'

const [PERCENT, PLUS, BLANK, NEWLINE] = [0x25, 0x2b, 0x20, 0x0a]
/** In place of a unit that is not looked for: no text has it. */
const NO_UNIT = -1

/**
 * Percent escapes to text: each run of ASCII characters is decoded as bytes of the charset, a `%` without two hex
 * digits stays, characters beyond ASCII stay (Python's `urllib.parse.unquote`).
 */
export function percentDecode(text: string, charset: Charset): string {
  if (!text.includes('%')) return text
  if (charset.table !== undefined) return unescapedUnits(text, charset.table, PERCENT, NO_UNIT)
  // What a run of ASCII leaves unfinished, no character beyond ASCII completes: one text is decoded as its runs are.
  if (charset.isUtf8 === true) return charset.lenient(unescapedBytes(Buffer.from(text, 'utf8')))
  return charset.hasPlainNewline === true && BEYOND_ASCII.test(text)
    ? decodedTogether(text, charset)
    : text.replace(/[\0-\x7f]+/g, (run) => charset.lenient(unescapedBytes(Buffer.from(run, 'latin1'))))
}

/**
 * The same for a field of a form, where `+` is a blank. Every text takes the same walk, so that none takes longer than
 * plain ASCII does by more than the work that its escapes are.
 */
export function formDecode(text: string, charset: Charset): string {
  const { table } = charset
  if (table !== undefined) return unescapedUnits(text, table, PERCENT, PLUS)
  return percentDecode(unescapedUnits(text, NO_TABLE, NO_UNIT, PLUS), charset)
}

const BEYOND_ASCII = /[^\0-\x7f]/

/**
 * All runs of ASCII with one call of the decoder, a line feed behind each: a call for each run takes as long as decoding
 * a hundred bytes, and a text may have a run for every other character.
 */
function decodedTogether(text: string, charset: Charset): string {
  const joined = Buffer.alloc(2 * text.length)
  /** Of each run, how many line feeds there are until its own. */
  const feeds = new Uint32Array(text.length)
  let [length, runs] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    const end = runEnd(text, at)
    if (end === at) continue
    const run = unescapedBytes(
      joined.subarray(length, length + joined.write(text.slice(at, end), length, 'latin1')),
    )
    for (const byte of run) if (byte === NEWLINE) feeds[runs] = (feeds[runs] ?? 0) + 1
    length += run.length
    joined[length++] = NEWLINE
    runs++
    at = end - 1
  }
  return putTogether(text, charset.lenient(joined.subarray(0, length)), feeds)
}

/** Where the run of ASCII ends that begins here; there is none where this is where it begins. */
function runEnd(text: string, from: number): number {
  let end = from
  while (end < text.length && text.charCodeAt(end) < 0x80) end++
  return end
}

/** The text with what its runs were decoded to in their place. */
function putTogether(text: string, decoded: string, feeds: Uint32Array): string {
  const units = new Uint16Array(text.length + decoded.length)
  let [length, runs, from] = [0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const end = runEnd(text, at)
    if (end === at) {
      units[length++] = text.charCodeAt(at)
      continue
    }
    for (let left = feeds[runs++] ?? 0; ; from++) {
      const unit = decoded.charCodeAt(from)
      if (unit === NEWLINE && left-- === 0) break
      units[length++] = unit
    }
    from++
    at = end - 1
  }
  return unitsText(units.subarray(0, length))
}

/**
 * @param table the character of each byte
 * @param percent the unit that begins an escape
 * @param plus the unit that becomes a blank
 */
function unescapedUnits(text: string, table: Uint16Array, percent: number, plus: number): string {
  const units = new Uint16Array(text.length)
  const last = text.length - 2
  let length = 0
  for (let at = 0; at < text.length; at++) {
    let unit = text.charCodeAt(at)
    if (unit === plus) unit = BLANK
    else if (unit === percent && at < last) {
      const high = HEX_VALUES[text.charCodeAt(at + 1)] ?? NO_DIGIT
      const low = high < 0 ? NO_DIGIT : (HEX_VALUES[text.charCodeAt(at + 2)] ?? NO_DIGIT)
      if (low >= 0) {
        unit = table[high * 16 + low] ?? 0
        at += 2
      }
    }
    units[length++] = unit
  }
  return unitsText(units.subarray(0, length))
}

const NO_TABLE = new Uint16Array(0)

/** In place. */
function unescapedBytes(bytes: Buffer): Uint8Array {
  const last = bytes.length - 2
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    let unit = bytes[at] ?? 0
    if (unit === PERCENT && at < last) {
      const high = HEX_VALUES[bytes[at + 1] ?? 0] ?? NO_DIGIT
      const low = high < 0 ? NO_DIGIT : (HEX_VALUES[bytes[at + 2] ?? 0] ?? NO_DIGIT)
      if (low >= 0) {
        unit = high * 16 + low
        at += 2
      }
    }
    bytes[length++] = unit
  }
  return bytes.subarray(0, length)
}

const NO_DIGIT = -1

/** Code unit -> the value of a hex digit. */
const HEX_VALUES = new Int8Array(0x1_0000).fill(NO_DIGIT)
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX_VALUES[digit.charCodeAt(0)] = value
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value
}

/** The value of a hex digit by its code unit; negative for everything else. */
export function hexValue(unit: number): number {
  return HEX_VALUES[unit] ?? NO_DIGIT
}

/**
 * Reads JSON with the grammar and the error texts of Python's `json`, which is what callers of DRF see: exact
 * integers, `1.0` kept apart from `1`, positions in code points. Parsers call it; the writer is `json-writer.ts`.
 */
import { brandError, JSON_SYNTAX_ERROR_BRAND } from '../brand.js'
import { unitsText } from './code-units.js'
import { JsonFloat } from './json-float.js'
import { setOwn } from './own-property.js'
import { HEX_VALUES } from './percent.js'

export { JsonFloat, pythonFloatText } from './json-float.js'
export { stringifyJson } from './json-writer.js'

/** DRF's own bound is Python's recursion limit (about 940 levels, then a 500); ours is a 400. */
const DEFAULT_MAX_DEPTH = 900
/** Python refuses longer integers since CVE-2020-10735: their conversion takes quadratic time. */
const MAX_INTEGER_DIGITS = 4300

export interface ParseJsonOptions {
  /** Levels of arrays and objects. Default 900. */
  readonly maxDepth?: number
  /** Integers beyond 2^53 as BigInt, floats as `JsonFloat`. Default: every number is a JavaScript number. */
  readonly exactNumbers?: boolean
}

/** The text is not JSON. The message is Python's; it names positions, never parts of the text. */
export class JsonSyntaxError extends Error {
  // A field, for an assignment fails where a program has frozen Error.prototype.
  override readonly name: string = 'JsonSyntaxError'
  constructor(message: string) {
    super(message)
    brandError(this, JSON_SYNTAX_ERROR_BRAND)
  }
}

/**
 * The value of a JSON document, in time linear to its length and without recursion. Objects are plain objects whose
 * keys, `__proto__` too, are own properties; of a repeated key the last value counts; lone surrogates are kept.
 *
 * @throws JsonSyntaxError not JSON, nested deeper than `maxDepth`, or (unless `exactNumbers`) a number beyond a double.
 */
export function parseJson(text: string, options: ParseJsonOptions = {}): unknown {
  return new JsonReader(text, options).document()
}

interface Frame {
  readonly array: unknown[] | null
  readonly object: Record<string, unknown>
  key: string
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y
const FOUR_HEX_DIGITS = /[0-9a-fA-F]{4}/y
const ESCAPES = new Map(
  ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map(([letter = '', char = '']) => [letter, char]),
)
const CONSTANTS: ReadonlyArray<readonly [text: string, value: unknown]> = [
  ['null', null],
  ['true', true],
  ['false', false],
]
const REFUSED_CONSTANTS = ['NaN', 'Infinity', '-Infinity']
const [SPACE, QUOTE, BACKSLASH, SMALL_U] = [0x20, 0x22, 0x5c, 0x75]
const [DIGIT_0, DIGIT_9, DOT, SMALL_E, LARGE_E] = [0x30, 0x39, 0x2e, 0x65, 0x45]
/** Code unit of the letter -> code unit that it stands for; no letter stands for 0. */
const ESCAPE_UNITS = new Uint8Array(0x1_0000)
for (const [letter, character] of ESCAPES) ESCAPE_UNITS[letter.charCodeAt(0)] = character.charCodeAt(0)
/** A name of this file's own is looked up faster than an import. */
const HEX = HEX_VALUES
const hexValue = (unit: number) => HEX[unit] ?? -1
/** So many escapes of a string are put together piece by piece. */
const FEW_ESCAPES = 16

class JsonReader {
  readonly #text: string
  readonly #maxDepth: number
  readonly #exactNumbers: boolean
  readonly #open: Frame[] = []
  #at = 0

  constructor(text: string, options: ParseJsonOptions) {
    this.#text = text
    this.#maxDepth = options.maxDepth ?? DEFAULT_MAX_DEPTH
    this.#exactNumbers = options.exactNumbers ?? false
  }

  document(): unknown {
    if (this.#text.startsWith('\ufeff')) this.#fail('Unexpected UTF-8 BOM (decode using utf-8-sig)', 0)
    this.#skipBlanks()
    for (;;) {
      const value = this.#opened() ? undefined : this.#scalarOrEmpty()
      if (value === undefined) continue
      const result = this.#closed(value)
      if (result === undefined) continue
      this.#skipBlanks()
      if (this.#at < this.#text.length) this.#fail('Extra data', this.#at)
      return result
    }
  }

  /** Enters a container that is not empty; the next value is its first member. */
  #opened(): boolean {
    const bracket = this.#text[this.#at]
    if (bracket !== '{' && bracket !== '[') return false
    if (this.#open.length >= this.#maxDepth) this.#fail('too deeply nested', this.#at)
    const begin = this.#at
    this.#at++
    this.#skipBlanks()
    if (this.#text[this.#at] === (bracket === '{' ? '}' : ']')) {
      this.#at = begin
      return false
    }
    const key = bracket === '{' ? this.#key() : ''
    this.#open.push({ array: bracket === '[' ? [] : null, object: {}, key })
    return true
  }

  /** Puts a value into its container, and each container that ends here into its own; undefined: more is to come. */
  #closed(first: unknown): unknown {
    let value = first
    for (;;) {
      const frame = this.#open.at(-1)
      if (frame === undefined) return value
      if (frame.array === null) setOwn(frame.object, frame.key, value)
      else frame.array.push(value)
      this.#skipBlanks()
      const next = this.#text[this.#at]
      if (next === ',') {
        this.#at++
        this.#skipBlanks()
        if (frame.array === null) frame.key = this.#key()
        return undefined
      }
      if (next !== (frame.array === null ? '}' : ']')) this.#fail("Expecting ',' delimiter", this.#at)
      this.#at++
      this.#open.pop()
      value = frame.array ?? frame.object
    }
  }

  #key(): string {
    if (this.#text.charCodeAt(this.#at) !== QUOTE) {
      this.#fail('Expecting property name enclosed in double quotes', this.#at)
    }
    const key = this.#string()
    this.#skipBlanks()
    if (this.#text[this.#at] !== ':') this.#fail("Expecting ':' delimiter", this.#at)
    this.#at++
    this.#skipBlanks()
    return key
  }

  #scalarOrEmpty(): unknown {
    const first = this.#text[this.#at]
    if (first === '"') return this.#string()
    if (first === '{' || first === '[') {
      this.#at++
      this.#skipBlanks()
      this.#at++
      return first === '{' ? {} : []
    }
    for (const [text, value] of CONSTANTS) {
      if (!this.#text.startsWith(text, this.#at)) continue
      this.#at += text.length
      return value
    }
    return this.#number()
  }

  #number(): unknown {
    const small = this.#smallInteger()
    if (small >= 0) return small
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (match === null) {
      const constant = REFUSED_CONSTANTS.find((text) => this.#text.startsWith(text, this.#at))
      if (constant !== undefined) throw outOfRange(constant)
      return this.#fail('Expecting value', this.#at)
    }
    const [text, fraction, exponent] = match
    this.#at = NUMBER.lastIndex
    const value = Number(text)
    const isFloat = fraction !== undefined || exponent !== undefined
    if (!isFloat && text.length - (text[0] === '-' ? 1 : 0) > MAX_INTEGER_DIGITS) {
      throw new JsonSyntaxError(
        `Exceeds the limit (${MAX_INTEGER_DIGITS} digits) for integer string conversion`,
      )
    }
    if (this.#exactNumbers) {
      if (isFloat) return new JsonFloat(value)
      return Number.isSafeInteger(value) ? value + 0 : BigInt(text)
    }
    if (!Number.isFinite(value)) throw outOfRange(value < 0 ? '-inf' : 'inf')
    return value
  }

  /** An integer of up to 15 digits, which is what most numbers are; -1 for every other value. */
  #smallInteger(): number {
    const text = this.#text
    let at = this.#at
    let value = 0
    let code = text.charCodeAt(at)
    const isZero = code === DIGIT_0
    while (code >= DIGIT_0 && code <= DIGIT_9) {
      value = value * 10 + code - DIGIT_0
      code = text.charCodeAt(++at)
    }
    const length = at - this.#at
    const isWhole = code !== DOT && code !== SMALL_E && code !== LARGE_E
    if (length === 0 || length > 15 || (isZero && length > 1) || !isWhole) return -1
    this.#at = at
    return value
  }

  #string(): string {
    const begin = this.#at
    let from = begin + 1
    let at = from
    let value = ''
    let escapes = 0
    for (;;) {
      const code = this.#text.charCodeAt(at)
      if (code === QUOTE) {
        this.#at = at + 1
        return value + this.#text.slice(from, at)
      }
      if (code !== BACKSLASH && code >= SPACE) {
        at++
        continue
      }
      if (code < SPACE) this.#fail('Invalid control character at', at)
      const letter = this.#text[at + 1]
      if (code !== BACKSLASH || letter === undefined) this.#fail('Unterminated string starting at', begin)
      if (escapes++ >= FEW_ESCAPES) {
        this.#at = from
        return value + this.#escapedString(begin)
      }
      value += this.#text.slice(from, at) + this.#escaped(letter, at)
      at += letter === 'u' ? 6 : 2
      from = at
    }
  }

  /** The rest of a string with many escapes, unit by unit: pieces of text would take ten times as long to put together. */
  #escapedString(begin: number): string {
    const text = this.#text
    const units = new Uint16Array(this.#boundOfString() - this.#at)
    let length = 0
    for (let at = this.#at; ; at++) {
      let unit = text.charCodeAt(at)
      if (unit === QUOTE) {
        this.#at = at + 1
        return unitsText(units.subarray(0, length))
      }
      if (unit < SPACE) this.#fail('Invalid control character at', at)
      if (at >= text.length || (unit === BACKSLASH && at + 1 >= text.length))
        this.#fail('Unterminated string starting at', begin)
      if (unit === BACKSLASH) {
        const letter = text.charCodeAt(at + 1)
        unit = letter === SMALL_U ? this.#hexUnit(at) : (ESCAPE_UNITS[letter] ?? 0)
        if (unit === 0 && letter !== SMALL_U) this.#fail('Invalid \\escape', at)
        at += letter === SMALL_U ? 5 : 1
      }
      units[length++] = unit
    }
  }

  /** A place that is not before the end of the string: the first quote that cannot be an escaped one. */
  #boundOfString(): number {
    const text = this.#text
    let end = this.#at - 1
    for (let quotes = 0; quotes < FEW_ESCAPES; quotes++) {
      end = text.indexOf('"', end + 1)
      if (end < 0) return text.length
      if (text.charCodeAt(end - 1) !== BACKSLASH) return end
    }
    // Of many quotes behind a backslash each is looked at, which is slower for all other texts.
    end = this.#at
    while (end < text.length && text.charCodeAt(end) !== QUOTE)
      end += text.charCodeAt(end) === BACKSLASH ? 2 : 1
    return Math.min(end, text.length)
  }

  #hexUnit(at: number): number {
    // As above: a character after the digits must be there.
    if (at + 6 >= this.#text.length) this.#fail('Invalid \\uXXXX escape', at + 1)
    const text = this.#text
    const high = (hexValue(text.charCodeAt(at + 2)) << 12) | (hexValue(text.charCodeAt(at + 3)) << 8)
    const unit = high | (hexValue(text.charCodeAt(at + 4)) << 4) | hexValue(text.charCodeAt(at + 5))
    // What is no digit is negative, and so is what it is part of.
    if (unit < 0) this.#fail('Invalid \\uXXXX escape', at + 1)
    return unit
  }

  #escaped(letter: string, at: number): string {
    if (letter !== 'u') return ESCAPES.get(letter) ?? this.#fail('Invalid \\escape', at)
    FOUR_HEX_DIGITS.lastIndex = at + 2
    const digits = FOUR_HEX_DIGITS.exec(this.#text)
    // Python wants a character after the digits before it looks at them.
    if (digits === null || at + 6 >= this.#text.length) return this.#fail('Invalid \\uXXXX escape', at + 1)
    return String.fromCharCode(Number.parseInt(digits[0], 16))
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #fail(message: string, at: number): never {
    throw new JsonSyntaxError(`${message}: ${position(this.#text, at)}`)
  }
}

function outOfRange(constant: string): JsonSyntaxError {
  return new JsonSyntaxError(`Out of range float values are not JSON compliant: '${constant}'`)
}

/** `line 1 column 13 (char 12)`: Python counts code points, JavaScript UTF-16 units. */
function position(text: string, at: number): string {
  let [line, column, char] = [1, 1, 0]
  for (let index = 0; index < at; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0xdc00 && code <= 0xdfff && index > 0 && isHighSurrogate(text.charCodeAt(index - 1))) continue
    char++
    column++
    if (code === 0x0a) {
      line++
      column = 1
    }
  }
  return `line ${line} column ${column} (char ${char})`
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}

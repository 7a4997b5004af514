/** Media types and header parameters as Django and DRF read them. Negotiation, parsers and renderers build on it. */
import { trimAscii } from '../python-text.js'
import { findCharset, UTF_8 } from './charset.js'
import { percentDecode } from './percent.js'

/** A header value and its parameters: `form-data; name="a"`. Text is one character per byte, unless `extended`. */
export interface ParsedHeader {
  /** Lower case, without blanks around. */
  readonly value: string
  /** By lower-case name; of a repeated one the last. Quotes are removed. */
  readonly parameters: ReadonlyMap<string, string>
  /** Names of parameters that came as `name*=charset'language'…` (RFC 8187) and are Unicode text already. */
  readonly extended: ReadonlySet<string>
  /** Whether a parameter had a name beyond ASCII, and was dropped. */
  readonly hasOddNames: boolean
}

/** Splits `value; name=text; name="quoted text"`, in linear time. Parameters with names beyond ASCII are dropped. */
export function parseHeader(line: string): ParsedHeader {
  const [value = '', ...rest] = segments(line)
  const parameters = new Map<string, string>()
  const extended = new Set<string>()
  let hasOddNames = false
  for (const segment of rest) {
    const equals = segment.indexOf('=')
    if (equals < 0) continue
    const starred = trimAscii(segment.slice(0, equals)).toLowerCase()
    const name = starred.endsWith('*') ? starred.slice(0, -1) : starred
    if (/[^\0-\x7f]/.test(name)) {
      hasOddNames = true
      continue
    }
    const raw = trimAscii(segment.slice(equals + 1))
    const text = starred === name ? null : extendedValue(raw)
    if (text === undefined) continue
    parameters.set(name, text ?? unquoted(raw))
    if (text === null) extended.delete(name)
    else extended.add(name)
  }
  return { value: value.toLowerCase(), parameters, extended, hasOddNames }
}

/** Cuts at semicolons outside quotes; a quote that nobody closes reaches to the end. */
function segments(line: string): string[] {
  const found: string[] = []
  let begin = 0
  let isQuoted = false
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '"') isQuoted = !isQuoted
    if (line[at] !== ';' || isQuoted) continue
    found.push(trimAscii(line.slice(begin, at)))
    begin = at + 1
  }
  return [...found, trimAscii(line.slice(begin))]
}

function unquoted(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value
  return value.slice(1, -1).replaceAll('\\\\', '\\').replaceAll('\\"', '"')
}

/**
 * The text of `charset'language'percent-encoded`; null if it is not of that form. What is not percent-encoded is UTF-8,
 * and only what is needs the charset: undefined where either is not to be had.
 */
function extendedValue(raw: string): string | null | undefined {
  const [charsetName = '', , encoded, ...more] = raw.split("'")
  if (encoded === undefined || more.length > 0) return null
  try {
    const text = UTF_8.strict(Buffer.from(encoded, 'latin1'), 'refuse')
    if (!text.includes('%')) return text
    const charset = findCharset(charsetName)
    return charset && percentDecode(text, charset)
  } catch {
    return undefined
  }
}

/** `type/subtype; parameters`, either part possibly `*`. */
export interface MediaType {
  readonly type: string
  readonly subtype: string
  readonly parameters: ReadonlyMap<string, string>
}

/** Reads a media type or range; anything is one, however odd: what matches nothing needs no error. */
export function parseMediaType(text: string): MediaType {
  const { value, parameters } = parseHeader(text)
  const slash = value.indexOf('/')
  if (slash < 0) return { type: value, subtype: '', parameters }
  return { type: value.slice(0, slash), subtype: value.slice(slash + 1), parameters }
}

/** Whether what we offer satisfies what was asked for: wildcards on either side, parameters of the offer required. */
export function matchesMediaType(offered: MediaType, asked: MediaType): boolean {
  for (const [name, value] of offered.parameters) {
    if (name !== 'q' && asked.parameters.get(name) !== value) return false
  }
  return partMatches(offered.subtype, asked.subtype) && partMatches(offered.type, asked.type)
}

function partMatches(offered: string, asked: string): boolean {
  return offered === '*' || asked === '*' || offered === asked
}

/** How specific: 0 for any type, 1 for `type/*`, 2 for `type/subtype`, 3 with parameters other than a lone `q`. */
export function mediaTypePrecedence({ type, subtype, parameters }: MediaType): 0 | 1 | 2 | 3 {
  if (type === '*') return 0
  if (subtype === '*') return 1
  return parameters.size === 0 || (parameters.size === 1 && parameters.has('q')) ? 2 : 3
}

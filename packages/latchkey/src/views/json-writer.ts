/** Writes JSON as DRF's renderer does: compact or indented, raw UTF-8, exact numbers. Renderers call it. */
import { types } from 'node:util'
import { LatchkeyError } from '../errors.js'
import { isJsonFloat, type JsonFloat } from './json-float.js'

/** Deeper than anything `parseJson` lets in wrapped by a view; also what ends a cycle. */
const MAX_DEPTH = 1000

/**
 * The JSON text of a value. With `indent` > 0 one member per line, that many blanks per level; otherwise no blanks.
 * Members that are undefined or functions are left out, `toJSON` is honoured, dates are ISO 8601 with `Z` and six
 * digits of fraction (none when it is zero), U+2028 and U+2029 are escaped as DRF does it.
 *
 * @throws TypeError what JSON cannot say: NaN, infinity, Map, Set, bytes, a cycle, more than 1000 levels.
 * @throws LatchkeyError `parse_error` for an infinite `JsonFloat`: only a caller's `1e400` makes one, so the caller is told.
 */
export function stringifyJson(value: unknown, indent = 0): string {
  const text = write(value, '', { indent, depth: 0 })
  if (text === undefined) throw new TypeError(`JSON cannot express ${typeof value}`)
  return text
}

interface Place {
  readonly indent: number
  readonly depth: number
}

function write(value: unknown, key: string, place: Place): string | undefined {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`JSON cannot express ${value}`)
      return String(value)
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, key, place)
    default:
      return undefined
  }
}

function writeObject(value: object, key: string, place: Place): string | undefined {
  if (isJsonFloat(value)) return floatText(value)
  if (types.isDate(value)) return quoted(isoText(value))
  if (place.depth >= MAX_DEPTH) throw new TypeError('JSON cannot express a cycle, or data nested too deeply')
  const inside = { indent: place.indent, depth: place.depth + 1 }
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(key), key, inside)
  if (Array.isArray(value)) {
    const items = Array.from(value, (item, index) => write(item, String(index), inside) ?? 'null')
    return enclosed('[', items, ']', place)
  }
  if (types.isMap(value) || types.isSet(value) || ArrayBuffer.isView(value)) {
    throw new TypeError(`JSON cannot express a ${value.constructor.name}`)
  }
  const colon = place.indent > 0 ? ': ' : ':'
  const members: string[] = []
  for (const [name, member] of Object.entries(value)) {
    const text = write(member, name, inside)
    if (text !== undefined) members.push(quoted(name) + colon + text)
  }
  return enclosed('{', members, '}', place)
}

function enclosed(open: string, members: readonly string[], close: string, place: Place): string {
  if (place.indent <= 0 || members.length === 0) return open + members.join(',') + close
  const outer = `\n${' '.repeat(place.indent * place.depth)}`
  const inner = outer + ' '.repeat(place.indent)
  return open + inner + members.join(`,${inner}`) + outer + close
}

/** Python's escapes are those of `JSON.stringify`, which also escapes lone surrogates (Python cannot send them). */
function quoted(text: string): string {
  const json = JSON.stringify(text)
  return /[\u2028\u2029]/.test(json)
    ? json.split('\u2028').join('\\u2028').split('\u2029').join('\\u2029')
    : json
}

function floatText(float: JsonFloat): string {
  if (Number.isFinite(float.value)) return float.toString()
  throw new LatchkeyError('parse_error', {
    message: 'JSON parse error - Out of range float values are not JSON compliant',
  })
}

function isoText(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new TypeError('JSON cannot express an invalid Date')
  return date.toISOString().replace(/\.(\d{3})Z$/, (_, ms: string) => (ms === '000' ? 'Z' : `.${ms}000Z`))
}

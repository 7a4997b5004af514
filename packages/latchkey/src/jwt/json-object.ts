/**
 * Reads the header and the payload of a JWT: one JSON object that nobody can read in another way. `jws.ts` calls it; it
 * is stricter than the parser of request bodies, because other programs read the same token.
 */
import { isAscii, isUtf8 } from 'node:buffer'

/** Far beyond any real claim; recursive code downstream must never meet a deeper value. */
const MAX_DEPTH = 32

/** Look names that a setting or a caller gave up with `Object.hasOwn`: `constructor` is there without being sent. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The object in a base64url text. Undefined for padding, foreign characters or unused bits that are not zero (RFC 4648,
 * 3.5); no UTF-8; no JSON; no object; a name that an object has twice (RFC 7519, 4); a number beyond 2^53, where a
 * `user_id` would become its neighbour's; more than 32 levels.
 */
export function readJsonObject(segment: string): JsonObject | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  if (bytes.toString('base64url') !== segment) return undefined
  const text = textOf(bytes)
  if (text === undefined) return undefined
  const value = parse(text)
  return isJsonObject(value) && hasColons(text, countNames(value, MAX_DEPTH)) ? value : undefined
}

/** The same value, which nobody changes any more, however deep. For what `readJsonObject` gave: its depth is bounded. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}

function textOf(bytes: Buffer): string | undefined {
  // Nearly all claims are ASCII, which is read in a third of the time.
  if (isAscii(bytes)) return bytes.toString('latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The names in all objects of a value; NaN, which equals no count, when it has a number that is not exact or is too
 * deep. Of a name that came twice JSON.parse keeps one, so then there are fewer names than colons, however they are
 * spelt ("a" and "\u0061" are one name).
 */
function countNames(value: unknown, levels: number): number {
  if (typeof value === 'number') return isExact(value) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  if (levels === 0) return Number.NaN
  const members: readonly unknown[] = Object.values(value)
  let names = Array.isArray(value) ? 0 : members.length
  for (const member of members) names += countNames(member, levels - 1)
  return names
}

function isExact(value: number): boolean {
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value)
}

const [QUOTE, COLON, BACKSLASH] = [0x22, 0x3a, 0x5c]

/** Whether a JSON text has so many colons outside of its texts, that is, so many names. NaN is no number of names. */
function hasColons(text: string, names: number): boolean {
  let colons = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) colons += 1
  // No fewer than there are names, so none of them is in a text: what most tokens are spared is the walk.
  return colons === names || countNameColons(text) === names
}

function countNameColons(text: string): number {
  let colons = 0
  let isText = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) isText = !isText
    else if (code === BACKSLASH) at++
    else if (code === COLON && !isText) colons++
  }
  return colons
}

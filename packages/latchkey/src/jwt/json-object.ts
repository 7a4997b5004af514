/**
 * Reads the header and the payload of a JWT: one JSON object, in which nothing can be read in two ways (RFC 8725,
 * 2.4 and 3.10; security of `jws.ts` rests on it, so it is stricter than the parser of request bodies).
 */
import { isUtf8 } from 'node:buffer'

/** Far beyond any real claim; recursive code downstream must never meet a deeper value. */
const MAX_DEPTH = 32

/** An own property of an object, so that `__proto__` and `constructor` are names like all others. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The object in a base64url text, or undefined: padding, foreign characters or unused bits that are not zero (RFC 4648,
 * 3.5), no UTF-8, no JSON, no object, a name that occurs twice in an object, a number that a double cannot hold
 * exactly (a `user_id` beyond 2^53 would become a neighbour's), or more than 32 levels.
 */
export function readJsonObject(segment: string): JsonObject | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  if (bytes.toString('base64url') !== segment || !isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) && isUnambiguous(text) ? value : undefined
  } catch {
    return undefined
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** In valid JSON: a text (with the colon after a name), a bracket, or a number. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\]]|-?\d[\d.eE+-]*/g
/** Up to here every whole number is exact. */
const SAFE_DIGITS = 15

/** `text` is valid JSON. Linear, without recursion. */
function isUnambiguous(text: string): boolean {
  const names: Set<string>[] = []
  for (const [token, name, colon] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (names.push(new Set()) > MAX_DEPTH) return false
    } else if (token === '}' || token === ']') {
      names.pop()
    } else if (name === undefined) {
      if (token.length > SAFE_DIGITS && !isExact(token)) return false
    } else if (colon !== undefined) {
      // "a" and "\u0061" are one name.
      const key: unknown = name.includes('\\') ? JSON.parse(name) : name.slice(1, -1)
      const known = names.at(-1)
      if (typeof key !== 'string' || known === undefined || known.has(key)) return false
      known.add(key)
    }
  }
  return true
}

function isExact(token: string): boolean {
  const value = Number(token)
  return /[.eE]/.test(token) ? Number.isFinite(value) : Number.isSafeInteger(value)
}

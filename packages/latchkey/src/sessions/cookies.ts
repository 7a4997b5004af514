/** Cookies in and out: Django's lenient reading, RFC 6265's writing. A leaf of `sessions/`. */
import { trimAscii, trimPython } from '../python-text.js'

/**
 * A `Cookie` header as Django reads it: the last of equal names wins, quotes are taken off, anything else is kept.
 * @param header one character per byte; they are UTF-8
 */
export function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  if (header === undefined) return cookies
  for (const chunk of Buffer.from(header, 'latin1').toString('utf8').split(';')) {
    const equals = chunk.indexOf('=')
    // Django also takes away blanks of Unicode, which browsers keep: a neighbour could set a cookie that begins with one,
    // and have it read as ours with its `__Host-`.
    const name = equals < 0 ? '' : trimAscii(chunk.slice(0, equals))
    const value = trimPython(equals < 0 ? chunk : chunk.slice(equals + 1))
    if (name !== '' || value !== '') cookies.set(name, unquote(value))
  }
  return cookies
}

/** Python's `http.cookies._unquote`: backslash and octal escapes inside double quotes. */
function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value
  return value
    .slice(1, -1)
    .replace(
      /\\(?:([0-3][0-7][0-7])|(.))/gs,
      (_, octal: string | undefined, character: string | undefined) =>
        octal === undefined ? (character ?? '') : String.fromCharCode(Number.parseInt(octal, 8)),
    )
}

export interface CookieOptions {
  readonly maxAgeSeconds: number
  readonly secure: boolean
  /** False only for what a script must read: the CSRF cookie. */
  readonly httpOnly: boolean
  /** `Strict`: not even when a link of another site leads here. Default is `Lax`, as in Django. */
  readonly sameSite?: 'Lax' | 'Strict'
}

/** A `Set-Cookie` value for the whole host. `maxAgeSeconds` 0 deletes. */
export function serializeCookie(name: string, value: string, options: CookieOptions): string {
  const { maxAgeSeconds, secure, httpOnly, sameSite = 'Lax' } = options
  return `${name}=${value}; Max-Age=${maxAgeSeconds}; Path=/; SameSite=${sameSite}${httpOnly ? '; HttpOnly' : ''}${secure ? '; Secure' : ''}`
}

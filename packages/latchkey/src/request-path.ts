/**
 * The path of a request as routers read it: percent-decoded once. `ApiRequest` gives it to permissions, throttles and
 * handlers. A leaf.
 */

/** A run of percent escapes without `%2F`, which no router takes for the slash between two segments. */
const ESCAPES = /(?:%(?!2[fF])[0-9a-fA-F]{2})+/g

/**
 * Decodes the percent escapes of a path, once (`%2569` becomes `%69`). `%2F` stays, and so does a run of escapes that is
 * not UTF-8 (overlong forms and surrogates included) or not an escape.
 *
 * @param raw the path as it was sent, without a query
 */
export function decodePath(raw: string): string {
  return raw.includes('%') ? raw.replace(ESCAPES, decodeRun) : raw
}

function decodeRun(run: string): string {
  try {
    return decodeURIComponent(run)
  } catch {
    return run
  }
}

/** Segments `.` and `..`, empty segments, and slashes that are encoded or turned around. */
const TWO_READINGS = /\/\/|\\|\/\.{1,2}(?:\/|$)/
const ENCODED_SLASH = /%2f/i

/**
 * Whether all readers of a path agree which resource it names. A router compares `/public/../internal/`,
 * `/internal%2Fx`, `//internal/` and `/internal\x` as they are; a file server, or an app behind a proxy, resolves them.
 *
 * @param raw the path as it was sent
 * @param decoded the same from `decodePath`
 */
export function hasOneReading(raw: string, decoded: string): boolean {
  return !TWO_READINGS.test(decoded) && !ENCODED_SLASH.test(raw)
}

/** The `Authorization` header in parts, as the originals split it. Shared by the authenticators that read it. */
import { rule } from '../options.js'
import type { CredentialRequest } from './authenticator.js'

/** ASCII white space as Python's `bytes.split()` knows it; a no-break space is none. */
const WHITE_SPACE = /[\t\n\v\f\r ]+/

/** What a quoted string of a challenge can hold. */
export const REALM = rule(
  'be printable ASCII without " and \\',
  (value) => typeof value === 'string' && /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(value),
)

/** The keyword and what follows it; empty when the header is absent or blank. `name`: in lower case. */
export function splitAuthorization(request: CredentialRequest, name = 'authorization'): string[] {
  const header = request.header(name)
  if (header === undefined) return []
  const parts = header.split(WHITE_SPACE)
  if (parts[0] === '') parts.shift()
  if (parts.at(-1) === '') parts.pop()
  return parts
}

/**
 * Where a usual header's credential begins: behind the keyword as it is written in the challenge, and one blank. 0 for
 * every other header, which `readAuthorization` takes apart.
 */
export function behindKeyword(header: string, keyword: string): number {
  const { length } = keyword
  return header.length > length + 1 && header.charCodeAt(length) === 0x20 && header.startsWith(keyword)
    ? length + 1
    : 0
}

/**
 * What follows the keyword; null when the header is absent, empty or of another scheme.
 * @param lowerCaseKeyword RFC 9110, 11.1: schemes are compared without case (ASCII only: a Kelvin sign is no k)
 */
export function readAuthorization(
  request: CredentialRequest,
  lowerCaseKeyword: string,
): readonly string[] | null {
  const parts = splitAuthorization(request)
  return parts.shift()?.toLowerCase() === lowerCaseKeyword ? parts : null
}

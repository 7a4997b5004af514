/** The `Authorization` header in parts, as the originals split it. Shared by the authenticators that read it. */
import type { CredentialRequest } from './authenticator.js'

/** ASCII white space as Python's `bytes.split()` knows it; a no-break space is none. */
const WHITE_SPACE = /[\t\n\v\f\r ]+/

/**
 * What follows the keyword, split on white space; null when the header is absent, empty or of another scheme.
 * @param lowerCaseKeyword RFC 9110, 11.1: schemes are compared without case (ASCII only: a Kelvin sign is no k)
 */
export function readAuthorization(
  request: CredentialRequest,
  lowerCaseKeyword: string,
): readonly string[] | null {
  const header = request.header('authorization')
  if (header === undefined) return null
  const parts = header.split(WHITE_SPACE)
  if (parts[0] === '') parts.shift()
  if (parts.at(-1) === '') parts.pop()
  return parts.shift()?.toLowerCase() === lowerCaseKeyword ? parts : null
}

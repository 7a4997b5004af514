/** What a parser is, and which one reads a body by its `Content-Type`. A view's handler calls `parseBody`, lazily. */

import { LatchkeyError } from '../../errors.js'
import { hasMethods, listOf } from '../../options.js'
import { trimAscii } from '../../python-text.js'
import { type Charset, findCharset, UTF_8 } from '../charset.js'
import { matchesMediaType, parseHeader, parseMediaType } from '../media-type.js'

/** Reads bodies of one media type. */
export interface Parser {
  /** `application/json`. */
  readonly mediaType: string
  /** @throws LatchkeyError `parse_error` for anything that is not such a body. */
  parse(body: Uint8Array, contentType: string | undefined): unknown
}

/** What an option that takes parsers must be. */
export const PARSERS = listOf('parsers, such as jsonParser()', hasMethods('parse'))

/** The first parser whose type fits; a caller's wildcard type fits the first of all, as in DRF. */
export function selectParser(
  parsers: readonly Parser[],
  contentType: string | undefined,
): Parser | undefined {
  const asked = parseMediaType(contentType ?? '')
  return parsers.find((parser) => matchesMediaType(parseMediaType(parser.mediaType), asked))
}

/**
 * DRF's `request.data`. An empty body is an empty object, whatever its type.
 *
 * @throws LatchkeyError `unsupported_media_type` or `parse_error`.
 */
export function parseBody(
  parsers: readonly Parser[],
  body: Uint8Array,
  contentType: string | undefined,
): unknown {
  if (body.length === 0) return {}
  const parser = selectParser(parsers, contentType)
  if (parser !== undefined) return parser.parse(body, contentType)
  throw new LatchkeyError('unsupported_media_type', {
    message: `Unsupported media type "${trimAscii(contentType ?? '')}" in request.`,
  })
}

/** The charset of a body: the `charset` parameter if it is known, else UTF-8. */
export function bodyCharset(contentType: string | undefined): Charset {
  const name = parseHeader(contentType ?? '').parameters.get('charset')
  return (name === undefined ? undefined : findCharset(name)) ?? UTF_8
}

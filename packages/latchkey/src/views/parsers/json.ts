/** The parser of `application/json`: bytes to text to value, with Python's error texts. One of a view's parsers. */
import { CHARSET_ERROR_BRAND, isBranded, JSON_SYNTAX_ERROR_BRAND } from '../../brand.js'
import { LatchkeyError, messageOf } from '../../errors.js'
import { BOOLEAN, checkOptions } from '../../options.js'
import { parseJson } from '../json.js'
import { bodyCharset, type Parser } from './parser.js'

export interface JsonParserOptions {
  /** Numbers as DRF sees them: `1.0` apart from `1`, big integers exact (see `parseJson`). Default false. */
  readonly exactNumbers?: boolean
}

/** Reads JSON in the charset of the content type. A byte order mark is refused, as Python refuses it. */
export function jsonParser(options: JsonParserOptions = {}): Parser {
  checkOptions('jsonParser', options, { exactNumbers: BOOLEAN })
  const { exactNumbers = false } = options
  return {
    mediaType: 'application/json',
    parse: (body, contentType) => {
      try {
        return parseJson(bodyCharset(contentType).strict(body, 'drop'), { exactNumbers })
      } catch (error) {
        if (!(isBranded(error, JSON_SYNTAX_ERROR_BRAND) || isBranded(error, CHARSET_ERROR_BRAND))) throw error
        throw new LatchkeyError('parse_error', {
          message: `JSON parse error - ${messageOf(error)}`,
          cause: error,
        })
      }
    },
  }
}

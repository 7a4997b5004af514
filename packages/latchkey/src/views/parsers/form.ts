/** The parser of `application/x-www-form-urlencoded`, and of queries, which have the same form. One of a view's parsers. */
import { CHARSET_ERROR_BRAND, isBranded } from '../../brand.js'
import { LatchkeyError } from '../../errors.js'
import { type Charset, latin1Text } from '../charset.js'
import { setOwn } from '../own-property.js'
import { formDecode } from '../percent.js'
import { bodyCharset, type Parser } from './parser.js'

/** Django's DATA_UPLOAD_MAX_NUMBER_FIELDS. */
export const MAX_FORM_FIELDS = 1000

/** Reads a form into an object of strings; of a repeated field the last value counts, fields without `=` are blank. */
export function formParser(): Parser {
  return {
    mediaType: 'application/x-www-form-urlencoded',
    parse: (body, contentType) => {
      const charset = bodyCharset(contentType)
      const data: Record<string, unknown> = {}
      for (const [name, value] of formPairs(formText(body, charset), charset)) setOwn(data, name, value)
      return data
    },
  }
}

/** A form is ASCII by rights; one with raw bytes of another charset is read as Latin-1, as Django does. */
function formText(body: Uint8Array, charset: Charset): string {
  try {
    return charset.strict(body, 'refuse')
  } catch (error) {
    if (isBranded(error, CHARSET_ERROR_BRAND)) return latin1Text(body)
    throw error
  }
}

/**
 * The fields of a form or a query, in order. `&` alone separates; `+` is a blank; wrong percent escapes stay, wrong
 * bytes become U+FFFD.
 *
 * @throws LatchkeyError `parse_error` for more than 1000 fields, counted by their separators.
 */
export function formPairs(text: string, charset: Charset): Array<readonly [name: string, value: string]> {
  const fields = text.split('&', MAX_FORM_FIELDS + 1)
  if (fields.length > MAX_FORM_FIELDS) {
    throw new LatchkeyError('parse_error', { message: 'Form parse error - too many fields' })
  }
  return fields
    .filter((field) => field !== '')
    .map((field) => {
      const equals = field.indexOf('=')
      const [name, value] = equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)]
      return [formDecode(name, charset), formDecode(value, charset)]
    })
}

/**
 * The parser of `multipart/form-data`, part for part as Django reads it, so that no other reader of the same request
 * sees other fields. One of a view's parsers.
 */

import { LatchkeyError } from '../../errors.js'
import { trimAscii } from '../../python-text.js'
import { type Charset, latin1Text } from '../charset.js'
import { type ParsedHeader, parseHeader } from '../media-type.js'
import { setOwn } from '../own-property.js'
import { MAX_FORM_FIELDS } from './form.js'
import { bodyCharset, type Parser } from './parser.js'
import { base64Bytes, base64FileBytes, UploadedFile } from './uploaded-file.js'

/** Django's bounds: DATA_UPLOAD_MAX_NUMBER_FILES, and the bytes in which a part's headers must end. */
const MAX_FILES = 100
const MAX_PART_HEADER_BYTES = 1024
/** UploadedFile's. */
const MAX_FILE_NAME = 255
/** Django counts the text before the first and after the last boundary as two fields more. */
const MAX_PARTS_WITHOUT_FILE = MAX_FORM_FIELDS + 2

/** Reads a multipart form into an object of strings and `UploadedFile`s; files win over fields of the same name. */
export function multipartParser(): Parser {
  return {
    mediaType: 'multipart/form-data',
    parse: (body, contentType = '') => {
      const boundary = boundaryOf(contentType)
      const charset = bodyCharset(contentType)
      const [fields, files] = [new Map<string, string>(), new Map<string, UploadedFile>()]
      const counts = { field: 0, file: 0 }
      for (const { bytes, isLast } of parts(body, boundary)) {
        const part = readPart(bytes)
        const kind = part.isFile ? 'file' : 'field'
        counts[kind]++
        if (counts.file > MAX_FILES) throw refusal('too many files')
        if (counts.field > MAX_PARTS_WITHOUT_FILE) throw refusal('too many fields')
        const name = partName(part, charset)
        if (name === undefined) continue
        if (!part.isFile) fields.set(name, charset.lenient(fieldBytes(part)))
        // A file is only whole when something comes behind it; and one without a name is nobody's.
        else if (!isLast && name !== '') {
          const file = uploadedFile(part, charset)
          if (file !== undefined) files.set(name, file)
        }
      }
      const data: Record<string, unknown> = {}
      for (const [name, value] of [...fields, ...files]) setOwn(data, name, value)
      return data
    },
  }
}

function refusal(reason: string): LatchkeyError {
  return new LatchkeyError('parse_error', { message: `Multipart form parse error - ${reason}` })
}

function boundaryOf(contentType: string): Uint8Array {
  if (!contentType.startsWith('multipart/')) throw refusal(`Invalid Content-Type: ${contentType}`)
  if (/[^\0-\x7f]/.test(contentType)) {
    throw refusal(`Invalid non-ASCII Content-Type in multipart: ${contentType}`)
  }
  const boundary = parseHeader(contentType).parameters.get('boundary')
  if (boundary === undefined || !/^[ -~]{0,200}[!-~]$/.test(boundary)) {
    throw refusal(`Invalid boundary in multipart: ${boundary ?? 'None'}`)
  }
  return new TextEncoder().encode(`--${boundary}`)
}

/**
 * The bytes between boundaries, and before the first and after the last one: Django looks for fields there as well,
 * and does not ask a boundary to begin a line. One line break before a boundary belongs to it.
 */
function* parts(
  body: Uint8Array,
  boundary: Uint8Array,
): Generator<{ readonly bytes: Uint8Array; readonly isLast: boolean }> {
  let begin = 0
  for (const at of occurrences(body, boundary)) {
    let end = at
    if (end > begin && body[end - 1] === 0x0a) end--
    if (end > begin && body[end - 1] === 0x0d) end--
    const isLast = at + boundary.length === body.length
    yield { bytes: body.subarray(begin, end), isLast }
    begin = at + boundary.length
  }
  if (begin < body.length) yield { bytes: body.subarray(begin), isLast: true }
}

/** Where `wanted` occurs, without overlaps. Knuth-Morris-Pratt: linear even for a boundary made to be slow. */
function* occurrences(bytes: Uint8Array, wanted: Uint8Array): Generator<number> {
  const fallback = new Uint8Array(wanted.length)
  for (let at = 1, matched = 0; at < wanted.length; at++) {
    while (matched > 0 && wanted[at] !== wanted[matched]) matched = fallback[matched - 1] ?? 0
    if (wanted[at] === wanted[matched]) matched++
    fallback[at] = matched
  }
  for (let at = 0, matched = 0; at < bytes.length; at++) {
    while (matched > 0 && bytes[at] !== wanted[matched]) matched = fallback[matched - 1] ?? 0
    if (bytes[at] === wanted[matched]) matched++
    if (matched < wanted.length) continue
    yield at + 1 - matched
    matched = 0
  }
}

interface Part {
  /** By lower-case name; of a repeated header the last. */
  readonly headers: ReadonlyMap<string, ParsedHeader>
  readonly isFile: boolean
  readonly content: Uint8Array
}

function readPart(bytes: Uint8Array): Part {
  const head = latin1Text(bytes.subarray(0, MAX_PART_HEADER_BYTES))
  const end = head.indexOf('\r\n\r\n')
  const headers = new Map<string, ParsedHeader>()
  for (const line of end < 0 ? [] : head.slice(0, end).split('\r\n')) {
    const parsed = parseHeader(line)
    const colon = parsed.value.indexOf(':')
    if (colon < 0 || /[^\0-\x7f]/.test(parsed.value) || parsed.hasOddNames) continue
    headers.set(parsed.value.slice(0, colon), { ...parsed, value: parsed.value.slice(colon + 1) })
  }
  // An empty file name makes a field, not a file.
  const isFile = Boolean(headers.get('content-disposition')?.parameters.get('filename'))
  return { headers, isFile, content: end < 0 ? bytes : bytes.subarray(end + 4) }
}

function partName(part: Part, charset: Charset): string | undefined {
  const name = dispositionText(part, 'name', charset)
  return name === undefined ? undefined : trimAscii(name)
}

/** A parameter of Content-Disposition: raw bytes in the body's charset, or text already (`filename*=UTF-8''…`). */
function dispositionText(part: Part, name: string, charset: Charset): string | undefined {
  const disposition = part.headers.get('content-disposition')
  const text = disposition?.parameters.get(name)
  if (text === undefined || disposition?.extended.has(name)) return text
  return charset.lenient(Uint8Array.from(text, (char) => char.charCodeAt(0)))
}

function isBase64(part: Part): boolean {
  return trimAscii(part.headers.get('content-transfer-encoding')?.value ?? '') === 'base64'
}

/** A field that claims base64 and is not is taken as it is. */
function fieldBytes(part: Part): Uint8Array {
  return (isBase64(part) ? base64Bytes(part.content) : null) ?? part.content
}

/** Undefined if nothing is left of the file name: Django then skips the part. */
function uploadedFile(part: Part, charset: Charset): UploadedFile | undefined {
  const name = baseName(dispositionText(part, 'filename', charset) ?? '')
  if (name === undefined) return undefined
  const bytes = isBase64(part) ? base64FileBytes(part.content) : part.content
  if (bytes === null) throw refusal('Could not decode base64 data.')
  return new UploadedFile(name, trimAscii(part.headers.get('content-type')?.value ?? ''), bytes)
}

/** The last segment of a path of any system, without characters that cannot be printed. */
function baseName(path: string): string | undefined {
  const name = (path.split(/[/\\]/).at(-1) ?? '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
  return name === '' || name === '.' || name === '..' ? undefined : shortened(name)
}

/** At most 255 characters, of which the extension stays: what file systems take. */
function shortened(name: string): string {
  const characters = [...name]
  if (characters.length <= MAX_FILE_NAME) return name
  const dot = characters.lastIndexOf('.')
  const extension = dot > 0 ? characters.slice(dot).slice(0, MAX_FILE_NAME) : []
  const stem = characters.slice(0, dot > 0 ? dot : undefined).slice(0, MAX_FILE_NAME - extension.length)
  return [...stem, ...extension].join('')
}

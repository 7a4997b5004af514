/** Renders an answer as JSON, compact or with the caller's `indent`. The first renderer of every view. */
import { trimPython } from '../../python-text.js'
import { stringifyJson } from '../json.js'
import { parseHeader } from '../media-type.js'
import type { Renderer } from './renderer.js'

const MAX_INDENT = 8

/** JSON; `Accept: application/json; indent=4` asks for lines with up to 8 blanks per level. */
export function jsonRenderer(): Renderer {
  return {
    mediaType: 'application/json',
    format: 'json',
    contentType: 'application/json',
    render: (data, { mediaType }) => ({ body: jsonText(data, indentOf(mediaType)) }),
  }
}

/** The JSON of an answer's data; null for no data: DRF answers `Response(None)` with an empty body. */
export function jsonText(data: unknown, indent: number): string | null {
  return data === undefined || data === null ? null : stringifyJson(data, indent)
}

/** Python's `int()`: blanks around, a sign, single underscores between digits; anything else is no indent. */
function indentOf(mediaType: string): number {
  const text = trimPython(parseHeader(mediaType).parameters.get('indent') ?? '')
  if (!/^[+-]?[0-9]+(?:_[0-9]+)*$/.test(text)) return 0
  return Math.max(0, Math.min(MAX_INDENT, Number(text.replaceAll('_', ''))))
}

/** How values are written to PostgreSQL and read from it: in forms that no setting of server, session or driver changes. */
import type { PostgresQuery } from './pool.js'

/** PostgreSQL's `text` holds every character but one. It is written as two, behind one that nobody types. */
const ESCAPE = '\u001a'
const HAS_SPECIAL = /[\0\u001a]/

function escapedText(text: string): string {
  if (!HAS_SPECIAL.test(text)) return text
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\0', `${ESCAPE}0`)
}

export function unescapedText(text: string): string {
  if (!text.includes(ESCAPE)) return text
  return text.replaceAll(`${ESCAPE}0`, '\0').replaceAll(`${ESCAPE}1`, ESCAPE)
}

type Parser = (text: string) => unknown

/**
 * By the type's number in PostgreSQL's catalogue: the types that statements may read, because no setting changes what
 * their text means. Flags are 0 or 1 as on SQLite, and ids and times are numbers.
 */
const PARSERS: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [16, (text) => (text === 't' ? 1 : 0)],
  [17, bytesOf],
  ...[20, 21, 23].map((oid) => [oid, Number] as const),
  [25, unescapedText],
  [114, (text) => text],
  // What functions give that give nothing.
  [2278, () => null],
])

/** A plain Uint8Array with memory of its own: records do not hold on to the driver's buffers. */
function bytesOf(text: string): Uint8Array {
  return new Uint8Array(text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex') : unescapedBytes(text))
}

/**
 * What `bytea_output = escape` writes: characters for bytes, except two backslashes for one, and a backslash with three
 * octal digits for what is not printable. So it never begins as the other format does.
 */
function unescapedBytes(text: string): Buffer {
  const octal = (_: string, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8))
  return Buffer.from(text.replace(/\\(\\|[0-3][0-7]{2})/g, octal), 'latin1')
}

/** Fails when a value is read, and not before: the driver asks for parsers where an error would end the process. */
const refused = (what: string) => () => {
  throw new TypeError(
    `a statement reads ${what}: a setting may change that, so cast it to one of the types in PARSERS`,
  )
}

/** Given with every query, so that parsers which the app gave to the driver or to its pool do not matter. */
export const TYPES: NonNullable<PostgresQuery['types']> = {
  getTypeParser(oid, format = 'text') {
    if (format !== 'text') return refused('binary values (the option `binary` of the driver)')
    return PARSERS.get(oid) ?? refused(`a value of type ${oid}`)
  },
}

/** A value as the server is given it. Of an array without nulls, `array_nulls` changes nothing. */
export function parameterOf(value: unknown): unknown {
  if (typeof value === 'string') return escapedText(value)
  if (Array.isArray(value) && value.includes(null))
    throw new TypeError(
      'an array among parameters holds null, which a setting turns into text: give it as JSON',
    )
  return value
}

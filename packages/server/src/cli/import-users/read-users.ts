/** Users of Django in a file: `dumpdata` as JSON or JSON lines, plain JSON lines, or CSV with a header. One after the other. */
import type { ImportRow } from 'latchkey'
import { CommandError } from '../output.js'
import { READ_FIELDS, userOf } from './django-user.js'
import { csvRowsOf, elementsOf, linesOf, type TextRow } from './split.js'

export const FORMATS = Object.freeze(['json', 'jsonl', 'csv'] as const)
export type Format = (typeof FORMATS)[number]

export interface ReadOptions {
  /** Default: by how the text begins. */
  readonly format?: Format | undefined
  /** `app.model` of the users; rows of other models are left out. */
  readonly model: string
  /** The model's USERNAME_FIELD. */
  readonly usernameField: string
}

/** What was seen beside users. */
export interface Seen {
  /** Rows of each other model. */
  readonly otherModels: Map<string, number>
  /** Fields that have no place here. */
  readonly otherFields: Set<string>
  users: number
}

/** @throws CommandError with the line, for a file that is not of its format */
export async function* readUsers(
  text: AsyncIterable<string>,
  options: ReadOptions,
  seen: Seen,
): AsyncGenerator<ImportRow> {
  const { first, pieces } = await peeked(text)
  const format = options.format ?? formatOf(first)
  for await (const row of ROWS[format](pieces, options, seen)) {
    seen.users += 1
    yield row
  }
}

function formatOf(first: string): Format {
  // Nothing at all has no lines.
  return first === '[' ? 'json' : first === '{' || first === '' ? 'jsonl' : 'csv'
}

const ROWS: {
  readonly [F in Format]: (
    pieces: AsyncIterable<string>,
    options: ReadOptions,
    seen: Seen,
  ) => AsyncGenerator<ImportRow>
} = {
  json: (pieces, options, seen) => objectsOf(elementsOf(pieces), options, seen),
  jsonl: (pieces, options, seen) => objectsOf(linesOf(pieces), options, seen),
  csv: csvUsersOf,
}

async function* objectsOf(
  rows: AsyncIterable<TextRow>,
  options: ReadOptions,
  seen: Seen,
): AsyncGenerator<ImportRow> {
  for await (const { line, text } of rows) {
    const row = parsed(text, line)
    if (!isObject(row))
      throw new CommandError(`line ${line}: there is no object: ${text.trim().slice(0, 40)}`)
    const { model, pk, fields } = row
    if (model === undefined && fields === undefined) yield oneUser(`line ${line}`, row.id, row, options, seen)
    else if (typeof model !== 'string' || !isObject(fields))
      throw new CommandError(`line ${line}: the object is neither a row of dumpdata nor a user`)
    else if (model.toLowerCase() === options.model.toLowerCase())
      yield oneUser(`line ${line}, pk ${JSON.stringify(pk)}`, pk, fields, options, seen)
    else seen.otherModels.set(model, (seen.otherModels.get(model) ?? 0) + 1)
  }
}

async function* csvUsersOf(
  pieces: AsyncIterable<string>,
  options: ReadOptions,
  seen: Seen,
): AsyncGenerator<ImportRow> {
  let header: readonly string[] | undefined
  for await (const { line, cells } of csvRowsOf(pieces)) {
    if (header === undefined) {
      header = cells.map((cell) => cell.trim().toLowerCase())
      checkHeader(header, line, options)
    } else if (cells.length !== header.length) {
      const unreadable = `there are ${cells.length} cells, and the header has ${header.length}`
      yield { at: `line ${line}`, unreadable }
    } else {
      const fields = Object.fromEntries(header.map((name, index) => [name, cells[index]]))
      yield oneUser(`line ${line}`, fields.id ?? fields.pk, fields, options, seen)
    }
  }
}

/** A missing column would be a default for every user: of these only those that a model may lack can be left out. */
function checkHeader(header: readonly string[], line: number, { usernameField }: ReadOptions): void {
  const missing = [usernameField, 'password'].filter((name) => !header.includes(name))
  if (!header.includes('id') && !header.includes('pk')) missing.unshift('id')
  if (missing.length > 0) {
    throw new CommandError(
      `line ${line}: the header has no column ${missing.join(', ')}: it must name the columns of Django's table, separated by commas`,
    )
  }
  const twice = header.find((name, index) => header.indexOf(name) !== index)
  if (twice !== undefined) throw new CommandError(`line ${line}: the header has the column ${twice} twice`)
}

function oneUser(
  at: string,
  pk: unknown,
  fields: Readonly<Record<string, unknown>>,
  { usernameField }: ReadOptions,
  { otherFields }: Seen,
): ImportRow {
  for (const name of Object.keys(fields))
    if (name !== usernameField && !READ_FIELDS.includes(name)) otherFields.add(name)
  return userOf(at, pk, fields, usernameField)
}

function parsed(text: string, line: number): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new CommandError(`line ${line}: is not JSON: ${text.trim().slice(0, 40)}`, { cause })
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first character that is no blank, and the text with it. */
async function peeked(
  text: AsyncIterable<string>,
): Promise<{ readonly first: string; readonly pieces: AsyncIterable<string> }> {
  const iterator = text[Symbol.asyncIterator]()
  let start = ''
  let isDone = false
  while (start.trim() === '' && !isDone) {
    const next = await iterator.next()
    isDone = next.done === true
    if (!next.done) start += next.value
  }
  async function* pieces() {
    yield start
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  }
  return { first: start.trim()[0] ?? '', pieces: pieces() }
}

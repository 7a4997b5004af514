/** Splits the text of a file into the rows of its format, each with the line at which it begins. */
import { CommandError } from '../output.js'

export interface TextRow {
  readonly line: number
  readonly text: string
}

export interface CsvRow {
  readonly line: number
  readonly cells: readonly string[]
}

/** A row that is longer is no user: the file is of another format, or a quote is missing. */
const MAX_ROW_LENGTH = 10_000_000

/** The lines that are not empty: newline-delimited JSON. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<TextRow> {
  let rest = ''
  let line = 1
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    refuseLong(rest, line + lines.length)
    for (const text of lines) {
      if (text.trim() !== '') yield { line, text }
      line += 1
    }
  }
  if (rest.trim() !== '') yield { line, text: rest }
}

/**
 * The elements of one JSON array, as text: `dumpdata` writes all of them into one line, or each over several.
 * @throws CommandError with the line, where the text is no array
 */
export async function* elementsOf(pieces: AsyncIterable<string>): AsyncGenerator<TextRow> {
  let state = 'before' as 'before' | 'between' | 'inside' | 'after'
  let line = 1
  let start = 1
  let depth = 0
  let isString = false
  let isEscaped = false
  let element = ''
  for await (const piece of pieces) {
    let from = 0
    for (let index = 0; index < piece.length; index += 1) {
      const character = piece[index] ?? ''
      if (character === '\n') line += 1
      if (state === 'inside') {
        if (isString) {
          if (isEscaped) isEscaped = false
          else if (character === '\\') isEscaped = true
          else if (character === '"') isString = false
          continue
        }
        if (character === '"') isString = true
        else if (character === '{' || character === '[') depth += 1
        else if (depth > 0 && (character === '}' || character === ']')) depth -= 1
        else if (depth === 0 && (character === ',' || character === ']')) {
          yield { line: start, text: element + piece.slice(from, index) }
          element = ''
          state = character === ',' ? 'between' : 'after'
        }
        continue
      }
      if (/\s/.test(character)) continue
      if (state === 'before' && character === '[') state = 'between'
      else if (state === 'between' && character === ']' && element === '') state = 'after'
      else if (state === 'between') {
        state = 'inside'
        from = index
        start = line
        index -= 1
      } else throw new CommandError(`line ${line}: the file is not one JSON array`)
    }
    if (state === 'inside') element += piece.slice(from)
    refuseLong(element, start)
  }
  if (state !== 'after')
    throw new CommandError(`line ${line}: the JSON array has no end: the file is not complete`)
}

/**
 * The rows of a CSV file (RFC 4180): quoted cells may hold commas, quotes and line ends.
 * @throws CommandError with the line, for a quote that has no end
 */
export async function* csvRowsOf(pieces: AsyncIterable<string>): AsyncGenerator<CsvRow> {
  let line = 1
  let start = 1
  let cells: string[] = []
  let cell = ''
  let isQuoted = false
  let wasQuote = false
  let isEmpty = true
  const endRow = () => {
    const row = { line: start, cells: [...cells, cell] }
    const wasEmpty = isEmpty
    cells = []
    cell = ''
    isEmpty = true
    start = line
    return wasEmpty ? [] : [row]
  }
  for await (const piece of pieces) {
    for (const character of piece) {
      if (character === '\n') line += 1
      if (isQuoted && !wasQuote) {
        if (character === '"') wasQuote = true
        else cell += character
      } else if (wasQuote && character === '"') {
        cell += character
        wasQuote = false
      } else if (character === ',' || character === '\n') {
        isQuoted = wasQuote = false
        if (character === '\n') yield* endRow()
        else {
          cells.push(cell)
          cell = ''
          isEmpty = false
        }
      } else if (character === '"' && cell === '') {
        isQuoted = true
        isEmpty = false
      } else if (character !== '\r') {
        if (wasQuote) throw new CommandError(`line ${line}: there is text behind a quoted cell`)
        cell += character
        isEmpty = false
      }
    }
    refuseLong(cell, start)
  }
  if (isQuoted && !wasQuote) throw new CommandError(`line ${start}: a quoted cell has no end`)
  yield* endRow()
}

function refuseLong(text: string, line: number): void {
  if (text.length > MAX_ROW_LENGTH) throw new CommandError(`line ${line}: the row is longer than any user`)
}

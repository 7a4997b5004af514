/** The text of a file as a stream of pieces, decoded strictly: an import reads files that do not fit into memory. */
import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { CommandError, type Io } from '../output.js'

/**
 * Pieces of text, without a byte order mark.
 * @param file a path, or `-` for standard input
 * @throws CommandError for a file that cannot be read, and for bytes that are not UTF-8, with their line
 */
export async function* textOf(io: Io, file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const place = file === '-' ? 'standard input' : file
  let line = 1
  let isFirst = true
  for await (const bytes of bytesOf(io, file, place)) {
    if (isFirst && bytes.length > 0) refuseUtf16(place, bytes)
    isFirst &&= bytes.length === 0
    const text = decoded(
      place,
      () => decoder.decode(bytes, { stream: true }),
      () => line + linesBefore(bytes),
    )
    line += text.split('\n').length - 1
    yield text
  }
  const rest = decoded(
    place,
    () => decoder.decode(),
    () => line,
  )
  if (rest !== '') yield rest
}

async function* bytesOf(io: Io, file: string, place: string): AsyncGenerator<Uint8Array> {
  try {
    const stream = file === '-' ? io.stdin : createReadStream(file)
    for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  } catch (cause) {
    const code = cause !== null && typeof cause === 'object' && 'code' in cause ? String(cause.code) : ''
    throw new CommandError(`${place}: ${FILE_TROUBLE[code] ?? 'cannot be read'}`, { cause })
  }
}

const FILE_TROUBLE: Readonly<Record<string, string>> = Object.freeze({
  ENOENT: 'there is no such file',
  EISDIR: 'is a directory: name a file in it',
  EACCES: 'no right to read the file',
})

function refuseUtf16(place: string, bytes: Uint8Array): void {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw new CommandError(`${place}: is UTF-16: save it as UTF-8`)
}

function decoded(place: string, decode: () => string, lineOf: () => number): string {
  try {
    return decode()
  } catch (cause) {
    throw new CommandError(`${place}: line ${lineOf()} is not UTF-8: save the file as UTF-8`, { cause })
  }
}

/** How many lines end before the first one that is not UTF-8. The first may begin within a character. */
function linesBefore(bytes: Uint8Array): number {
  let from = 0
  while (from < 3 && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1
  for (let lines = 0; ; lines += 1) {
    const end = bytes.indexOf(0x0a, from)
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return lines
    from = end + 1
  }
}

/** Questions on a terminal: a line of text, a password without echo. Commands that need a person call these. */

import { StringDecoder } from 'node:string_decoder'
import { printable } from 'latchkey'
import { CommandError, type Io } from './output.js'

/** Ctrl-C at a prompt. */
export class Interrupted extends Error {}

/** One conversation over standard input: what was typed ahead of a question is kept for it. */
export class Prompt {
  readonly #io: Io
  readonly #decoder = new StringDecoder('utf8')
  #typed = ''
  /** Ends the reading that is under way, so that nothing waits for the terminal any more. */
  #abandon: () => void = () => undefined
  #ended = false

  constructor(io: Io) {
    this.#io = io
  }

  /** Whether there is a person to ask. */
  get isPossible(): boolean {
    return this.#io.stdin.isTTY === true
  }

  /** Asks and returns the line without its end. Throws `Interrupted` on Ctrl-C and at the end of input. */
  async ask(question: string): Promise<string> {
    this.#io.stderr.write(printable(question))
    // A terminal that shows what is typed makes a signal of Ctrl-C, and no key.
    const interrupt = () => this.#abandon()
    process.once('SIGINT', interrupt)
    try {
      return await this.#readLine()
    } finally {
      process.off('SIGINT', interrupt)
    }
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#typed.indexOf('\n')
      if (end >= 0) {
        const line = this.#typed.slice(0, end)
        this.#typed = this.#typed.slice(end + 1)
        return line.endsWith('\r') ? line.slice(0, -1) : line
      }
      if (this.#ended) throw new Interrupted()
      this.#typed += await this.#read()
    }
  }

  /** As `ask`, with nothing shown of what is typed. */
  async askHidden(question: string): Promise<string> {
    const { stdin, stderr } = this.#io
    stderr.write(printable(question))
    stdin.setRawMode?.(true)
    try {
      return await this.#readHidden()
    } finally {
      stdin.setRawMode?.(false)
      stderr.write('\n')
    }
  }

  /** A raw terminal sends keys, not lines: this edits the line that cannot be seen. */
  async #readHidden(): Promise<string> {
    let line: readonly string[] = []
    for (;;) {
      const [key] = this.#typed
      if (key === undefined) {
        if (this.#ended) throw new Interrupted()
        this.#typed += await this.#read()
        continue
      }
      this.#typed = this.#typed.slice(key.length)
      const action = KEYS[key]
      if (action === 'end') {
        if (key === '\r' && this.#typed.startsWith('\n')) this.#typed = this.#typed.slice(1)
        return line.join('')
      }
      if (action === 'interrupt') throw new Interrupted()
      line = action === undefined ? [...line, key] : action === 'clear' ? [] : line.slice(0, -1)
    }
  }

  #read(): Promise<string> {
    const { stdin } = this.#io
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        stdin.pause()
        stdin.off('data', onData).off('end', onEnd).off('error', onError)
        settle()
      }
      const onData = (chunk: Buffer | string) =>
        done(() => resolve(typeof chunk === 'string' ? chunk : this.#decoder.write(chunk)))
      const onEnd = () => {
        this.#ended = true
        done(() => resolve(''))
      }
      const onError = (error: Error) => done(() => reject(error))
      this.#abandon = () => done(() => reject(new Interrupted()))
      stdin.on('data', onData).on('end', onEnd).on('error', onError)
      stdin.resume()
    })
  }
}

type KeyAction = 'end' | 'interrupt' | 'erase' | 'clear'

const KEYS: Readonly<Record<string, KeyAction>> = Object.freeze({
  '\r': 'end',
  '\n': 'end',
  '\u0003': 'interrupt',
  '\u0004': 'interrupt',
  '\u007f': 'erase',
  '\b': 'erase',
  '\u0015': 'clear',
})

const MAX_STDIN_BYTES = 65_536

/** The first line of standard input, for `--password-stdin`. Throws `CommandError` on a terminal, and when it is empty. */
export async function passwordFromStdin(io: Io): Promise<string> {
  if (io.stdin.isTTY) {
    throw new CommandError(
      '--password-stdin reads a pipe: `latchkey … --password-stdin < file`; leave it out to be asked',
    )
  }
  const chunks: Buffer[] = []
  let byteCount = 0
  for await (const chunk of io.stdin) {
    const bytes = Buffer.from(chunk)
    chunks.push(bytes)
    byteCount += bytes.length
    if (bytes.includes(0x0a) || byteCount > MAX_STDIN_BYTES) break
  }
  const bytes = Buffer.concat(chunks)
  if (bytes.length > MAX_STDIN_BYTES && !bytes.includes(0x0a))
    throw new CommandError('--password-stdin: the first line is too long for a password')
  const line = firstLine(bytes)
  if (line === '') throw new CommandError('--password-stdin: standard input is empty')
  return line
}

/** Without its end. What is not UTF-8 would become another password than the one that was meant. */
function firstLine(bytes: Buffer): string {
  const feed = bytes.indexOf(0x0a)
  const end = feed < 0 ? bytes.length : bytes[feed - 1] === 0x0d ? feed - 1 : feed
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end))
  } catch {
    throw new CommandError('--password-stdin: the password is not UTF-8')
  }
}

/** A terminal for tests: keys go in when they are asked for, and everything that would be seen is kept. */
import { PassThrough } from 'node:stream'
import type { Io } from '../src/cli/output.js'

export class FakeTerminal {
  stdout = ''
  stderr = ''
  /** Whether the terminal shows what is typed: false while a password is asked for. */
  isRaw = false
  /** What was typed while the terminal showed it. */
  echoed = ''
  readonly io: Io
  readonly #stdin = new PassThrough()

  /** @param answers what a person types at each question, in this order; without one, the input ends */
  constructor(cwd: string, answers: readonly string[], env: Io['env'] = {}) {
    const left = [...answers]
    const answer = () => {
      const next = left.shift()
      if (next === undefined) return void this.#stdin.end()
      // A terminal that is not raw makes a signal of Ctrl-C.
      if (!this.isRaw && next === '\u0003') return void process.emit('SIGINT')
      if (!this.isRaw) this.echoed += next
      this.#stdin.write(next)
    }
    const stdin = Object.assign(this.#stdin, {
      isTTY: true,
      setRawMode: (raw: boolean) => {
        this.isRaw = raw
      },
    })
    this.io = {
      stdin,
      stdout: { write: (text: string) => (this.stdout += text) },
      stderr: {
        write: (text: string) => {
          this.stderr += text
          if (/: $/.test(text)) setImmediate(answer)
        },
      },
      env,
      cwd,
    }
  }
}

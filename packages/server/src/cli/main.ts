/** The executable's first file: hands the process to `run` and ends with its exit code. */
import { EXIT, type Io } from './output.js'
import { run } from './run.js'

let goesOn = false

const io: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  goOnUnheard: () => {
    goesOn = true
  },
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (goesOn) return
  // `latchkey token list | head -1`: the reader has left, and there is nobody to tell.
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  process.stderr.write(`CommandError: standard output cannot be written: ${error.code ?? error.message}\n`)
  process.exit(EXIT.refused)
})
// Nobody can be told that nobody can be told. Without a listener it would end the process: a server whose log is full.
process.stderr.on('error', () => undefined)

process.exitCode = await run(process.argv.slice(2), io)

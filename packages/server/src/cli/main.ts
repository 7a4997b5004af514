/** The executable's first file: hands the process to `run` and ends with its exit code. */
import { EXIT } from './output.js'
import { run } from './run.js'

// `latchkey token list | head -1`: the reader has left, and there is nobody to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
})

/** Prevents half-finished children: one way to run a command, show or keep what it prints, and end it with us. */
import { spawn } from 'node:child_process'

/**
 * Runs a command to its end; never throws.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: string, capture?: boolean, tee?: boolean,
 *   timeoutMs?: number }} [options] capture: keep the output instead of showing it; tee: do both
 * @returns {Promise<{ code: number, output: string }>} 128 for a signal, 127 where it cannot be started
 */
export function run(command, args, options = {}) {
  const { cwd, env = process.env, input, capture = false, tee = false, timeoutMs } = options
  return new Promise((resolve) => {
    const out = capture || tee ? 'pipe' : 'inherit'
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: [input === undefined ? 'ignore' : 'pipe', out, out],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' }),
    })
    let output = ''
    const keep = (screen) => (text) => {
      output += text
      if (tee) screen.write(text)
    }
    child.stdout?.setEncoding('utf8').on('data', keep(process.stdout))
    child.stderr?.setEncoding('utf8').on('data', keep(process.stderr))
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 128, output }))
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** npm as it started us, or the one on the PATH. */
export function npmCommand() {
  const started = process.env.npm_execpath
  return started?.endsWith('npm-cli.js')
    ? { command: process.execPath, args: [started] }
    : { command: 'npm', args: [] }
}

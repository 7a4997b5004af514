/** Starts the scripts of children/ on what is built, building it first. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** `tsc -b` looks itself whether anything is stale. */
export function build(): void {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-b', PACKAGE], { stdio: 'inherit' })
}

export interface Child {
  readonly process: ChildProcessWithoutNullStreams
  /** Everything that it printed so far. */
  readonly lines: readonly string[]
  /** The next line that it prints. */
  nextLine(): Promise<string>
  /** Resolves at its end, with the exit code; null after a signal. */
  readonly ended: Promise<number | null>
}

export interface ChildOptions {
  readonly uid?: number
}

export function startChild(
  script: string,
  args: readonly (string | number)[],
  options: ChildOptions = {},
): Child {
  const file = fileURLToPath(new URL(`children/${script}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args.map(String)], options)
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const lines: string[] = []
  let wake = () => {}
  const reader = createInterface(child.stdout)
  reader.on('line', (line) => {
    lines.push(line)
    wake()
  })
  reader.on('close', () => wake())
  return {
    process: child,
    lines,
    async nextLine() {
      const index = lines.length
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      return lines[index] ?? ''
    },
    ended: once(child, 'close').then(([code]) => code as number | null),
  }
}

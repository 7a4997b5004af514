/**
 * Reads and plays transcripts: what a person types and what the built command line answers, byte for byte.
 *
 *     $ a command, run by sh in an empty folder; `latchkey` is the one that was built
 *     < a line of its standard input
 *     | a line of stdout
 *     ! a line of stderr
 *     = the exit code, when it is not 0
 *
 * `<40 hex>`, `<time>` and the others of `PATTERNS` stand for what differs each time, `<dir>` for the folder.
 * `<token:40 hex>` keeps what was there as `<token>` for later lines, and as `$token` for later commands.
 * UPDATE_TRANSCRIPTS=1 writes down what really came out: read the difference before keeping it.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Step {
  readonly command: string
  readonly stdin: readonly string[]
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  readonly exitCode: number
}

export interface Played {
  readonly expected: Step
  /** With the folder's name as `<dir>`; what fits its expected line is written as that line. */
  readonly actual: Step
  /** As it came, for searches. */
  readonly output: string
}

export const LATCHKEY = fileURLToPath(new URL('../bin/latchkey.js', import.meta.url))

const PATTERNS: Readonly<Record<string, string>> = {
  '40 hex': '[0-9a-f]{40}',
  '64 hex': '[0-9a-f]{64}',
  '32 hex': '[0-9a-f]{32}',
  '8 hex': '[0-9a-f]{8}',
  '4 hex': '[0-9a-f]{4}',
  'personal token': 'lk_pat_[0-9A-Za-z]{39}',
  '4 letters': '[0-9A-Za-z]{4}',
  kid: '[\\w-]{43}',
  time: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{3})?Z',
  version: '\\d+\\.\\d+\\.\\d+',
  any: '.*',
}

/** One transcript in a folder of its own. */
export class Transcript {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'latchkey-transcript-')))
  readonly captured = new Map<string, string>()
  readonly #shims = mkdtempSync(join(tmpdir(), 'latchkey-bin-'))
  readonly #env: Readonly<Record<string, string>>

  /** @param env what all of its commands have in their environment */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env
    const shim = join(this.#shims, 'latchkey')
    writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' '${LATCHKEY}' "$@"\n`)
    chmodSync(shim, 0o755)
    // What config files and urls modules import.
    symlinkSync(
      fileURLToPath(new URL('../../../node_modules', import.meta.url)),
      join(this.folder, 'node_modules'),
    )
  }

  play(expected: Step): Played {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', expected.command], {
      cwd: this.folder,
      input: expected.stdin.map((line) => `${line}\n`).join(''),
      encoding: 'utf8',
      env: {
        ...Object.fromEntries(this.captured),
        ...cleanEnvironment(),
        ...this.#env,
        PATH: `${this.#shims}${delimiter}${process.env.PATH}`,
      },
    })
    const actual: Step = {
      ...expected,
      stdout: this.#fitted(expected.stdout, stdout),
      stderr: this.#fitted(expected.stderr, stderr),
      exitCode: status ?? -1,
    }
    return { expected, actual, output: stdout + stderr }
  }

  /** Every file that the commands left behind, as bytes. */
  files(): ReadonlyArray<{ readonly name: string; readonly bytes: Buffer }> {
    return (
      readdirSync(this.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        // Linked packages are no output; whether a recursive listing follows links depends on the version of Node.
        .filter((name) => !name.includes('/node_modules/'))
        .map((name) => ({ name, bytes: readFileSync(name) }))
    )
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
    rmSync(this.#shims, { recursive: true, force: true })
  }

  #fitted(expected: readonly string[], text: string): readonly string[] {
    const lines = text
      .replaceAll(this.folder, '<dir>')
      .split('\n')
      .map((line) => line.trimEnd())
    if (lines.at(-1) === '') lines.pop()
    else lines.push('(no end of line)')
    return lines.map((line, index) =>
      this.#fits(expected[index], line) ? (expected[index] ?? line) : generalized(line),
    )
  }

  #fits(expected: string | undefined, line: string): boolean {
    if (expected === undefined) return false
    const names: string[] = []
    const pattern = expected.split(/(<[^<>]+>)/).map((part) => {
      const [, name, kind] = /^<(?:([a-z]\w*):)?([^<>]+)>$/.exec(part) ?? []
      const known = kind === undefined ? undefined : (this.captured.get(kind) ?? PATTERNS[kind])
      // How many blanks pad a column depends on the length of the folder's name.
      if (known === undefined) return escaped(part).replace(/ {2,}/g, ' {2,}')
      if (name !== undefined) names.push(name)
      return name === undefined ? `(?:${known})` : `(${known})`
    })
    const match = new RegExp(`^${pattern.join('')}$`, 'u').exec(line)
    for (const [index, name] of names.entries()) {
      const value = match?.[index + 1]
      if (value !== undefined) this.captured.set(name, value)
    }
    return match !== null
  }
}

export function parse(text: string): readonly Step[] {
  const steps: { command: string; stdin: string[]; stdout: string[]; stderr: string[]; exitCode: number }[] =
    []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [sign, rest] = [line[0] ?? '', line.slice(2)]
    const step = steps.at(-1)
    if (sign === '$') steps.push({ command: rest, stdin: [], stdout: [], stderr: [], exitCode: 0 })
    else if (step === undefined) throw new Error(`line ${index + 1}: comes before any command`)
    else if (sign === '<') step.stdin.push(rest)
    else if (sign === '|') step.stdout.push(rest)
    else if (sign === '!') step.stderr.push(rest)
    else if (sign === '=') step.exitCode = Number(rest)
    else throw new Error(`line ${index + 1}: begins with none of # $ < | ! =`)
  }
  return steps
}

/** The transcript with what really came out, comments kept. */
export function rewritten(text: string, played: readonly Played[]): string {
  const lines: string[] = []
  let next = 0
  for (const line of text.split('\n')) {
    if (line.startsWith('$')) lines.push(...shown(played[next++]?.actual))
    else if (line.trim() === '' || line.startsWith('#')) lines.push(line)
  }
  return lines.join('\n')
}

function shown(step: Step | undefined): readonly string[] {
  if (step === undefined) return []
  return [
    `$ ${step.command}`,
    ...step.stdin.map((line) => `< ${line}`),
    ...step.stdout.map((line) => `| ${line}`.trimEnd()),
    ...step.stderr.map((line) => `! ${line}`.trimEnd()),
    ...(step.exitCode === 0 ? [] : [`= ${step.exitCode}`]),
  ]
}

function generalized(line: string): string {
  return line
    .replace(/\b[0-9a-f]{64}\b/g, '<64 hex>')
    .replace(/\b[0-9a-f]{40}\b/g, '<40 hex>')
    .replace(/\b[0-9a-f]{32}\b/g, '<32 hex>')
    .replace(new RegExp(PATTERNS.time ?? '', 'g'), '<time>')
    .replace(/lk_pat_[0-9A-Za-z]{39}/g, '<personal token>')
    .replace(/lk_pat_…[0-9A-Za-z]{4}/g, 'lk_pat_…<4 letters>')
    .replace(/…[0-9a-f]{4}/g, '…<4 hex>')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}

/** Nothing of the machine that plays it changes what comes out. */
export function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !name.startsWith('LATCHKEY_') &&
      !/^(NODE_ENV|NODE_OPTIONS|VITEST.*)$/.test(name),
  )
  return Object.fromEntries(kept) as Record<string, string>
}

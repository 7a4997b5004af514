/**
 * The voice of the command line: what goes where, and how it ends. Every command speaks through this file.
 *
 * - stdout is the result and nothing else: what a script reads, or one JSON document with `--json`.
 * - stderr is for people: prompts, progress, hints, warnings, errors.
 * - A refusal is one line on stderr, `CommandError: …`, as Django prints it; it says what to do. No stack traces:
 *   LATCHKEY_DEBUG=1 shows them.
 * - Secrets are printed by the commands that issue or reveal them, on stdout, and nowhere else. A password is never
 *   printed, nor taken from the command line, where every user of the machine can read it.
 * - Prompts appear on a terminal only; without one a command says which option to use instead.
 * - Plain text: no colours, no moving pictures, nothing that differs between a terminal and a pipe. Control
 *   characters that came in with data are printed as escapes.
 */

import { printable } from 'latchkey'

/** How a command ends. */
export const EXIT = Object.freeze({
  /** Done. */
  ok: 0,
  /** Refused or failed, for a reason that stderr tells. */
  refused: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** A mistake in Latchkey or in the project's code (sysexits' EX_SOFTWARE). */
  crashed: 70,
  /** Ctrl-C at a prompt. */
  interrupted: 130,
})

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The terminal's side of the input: prompts switch its echo off. */
export type Input = NodeJS.ReadableStream & {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
}

/** Everything that a command touches outside of itself. */
export interface Io {
  readonly stdin: Input
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Called by a command that goes on when nobody reads what it prints any more: a server. */
  goOnUnheard?(): void
  /** Called when a command has its settings: from then on `debug` acts, wherever it was set. */
  settingsLoaded?(settings: { readonly debug: boolean }): void
}

/** A refusal: printed as `CommandError: message`, exit code 1. */
export class CommandError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
  }
}

/** Ends the command with this code, after it has said everything itself. */
export class Exit extends Error {
  readonly code: ExitCode

  constructor(code: ExitCode) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** One line of result. */
export function printLine(io: Io, line: string): void {
  io.stdout.write(`${printable(line)}\n`)
}

/** One line for people. */
export function note(io: Io, line: string): void {
  io.stderr.write(`${printable(line)}\n`)
}

/** The one JSON document of a result. */
export function printJson(io: Io, value: unknown): void {
  // Line breaks are JSON's own: those in texts are escaped already.
  const lines = JSON.stringify(value, null, 2).split('\n').map(printable)
  io.stdout.write(`${lines.join('\n')}\n`)
}

/**
 * Rows under headings, columns two blanks apart. Nothing at all is printed for no rows: a script counts lines, and
 * people get a note.
 */
export function printTable(
  io: Io,
  headings: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
): void {
  const cells = [headings, ...rows].map((row) => row.map(printable))
  // No spread: there may be more rows than a call takes arguments.
  const widths = headings.map((_, column) =>
    cells.reduce((widest, row) => Math.max(widest, [...(row[column] ?? '')].length), 0),
  )
  for (const row of cells) {
    const padded = row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
    io.stdout.write(`${padded.join('  ').trimEnd()}\n`)
  }
}

/** A time for people and scripts alike: `2026-11-22T08:46:55Z`; `-` for none. */
export function timeText(time: Date | null): string {
  return time === null ? '-' : `${time.toISOString().slice(0, 19)}Z`
}

/** A command line that cannot be understood, said in argparse's words: what Django's commands print. */
import type { Command, CommanderError } from 'commander'

/** Exit code 2: the usage line, then what is wrong. */
export class UsageError extends Error {
  readonly lines: readonly string[]

  constructor(command: Command, problem: string) {
    super(problem)
    const name = nameOf(command)
    this.lines = [`Usage: ${name} ${command.usage()}`, `${name}: error: ${problem}`]
  }
}

/** Commander's refusals in argparse's words; what is not in the table keeps Commander's. */
const WORDS: Readonly<Record<string, (quoted: string, text: string) => string>> = {
  'commander.missingArgument': (name) => `the following arguments are required: ${name}`,
  'commander.unknownOption': (name, text) =>
    text.replace(/^unknown option '[^']*'/, `unrecognized arguments: ${name}`),
  'commander.excessArguments': (_name, text) =>
    text.replace(/^too many arguments( for '[^']*')?\. /, 'too many arguments: '),
}

/** Makes Commander throw instead of printing and exiting, in this command and all below it. */
export function throwUsageErrors(command: Command): void {
  command.exitOverride((error) => {
    throw translated(command, error)
  })
  for (const subcommand of command.commands) throwUsageErrors(subcommand)
}

function translated(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0) return error
  const text = error.message.replace(/^error: /, '').replace(/\n/g, ' ')
  const quoted = /'([^']*)'/.exec(text)?.[1] ?? ''
  // A group without its command prints its help, which is already on stderr.
  if (error.code === 'commander.help') return error
  return new UsageError(command, WORDS[error.code]?.(quoted, text) ?? text)
}

function nameOf(command: Command): string {
  const { parent } = command
  return parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`
}

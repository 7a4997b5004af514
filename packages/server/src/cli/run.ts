/** One command line from words to exit code: which commands there are, and how each error ends. `main.ts` calls it. */
import { Command, CommanderError } from 'commander'
import { isLatchkeyError, printableLines } from 'latchkey'
import { SettingsError } from '../settings/settings-error.js'
import { changePasswordCommand } from './commands/change-password.js'
import { checkCommand } from './commands/check.js'
import { createUserCommand } from './commands/create-user.js'
import { drfCreateTokenCommand } from './commands/drf-create-token.js'
import { flushExpiredTokensCommand } from './commands/flush-expired-tokens.js'
import { jwtCommand } from './commands/jwt.js'
import { keysCommand } from './commands/keys.js'
import { migrateCommand } from './commands/migrate.js'
import { partitionCommand } from './commands/partition.js'
import { runCommand } from './commands/run.js'
import { secretCommand } from './commands/secret.js'
import { serveCommand } from './commands/serve.js'
import { settingsCommand } from './commands/settings.js'
import { showMigrationsCommand } from './commands/show-migrations.js'
import { startProjectCommand } from './commands/start-project.js'
import { tokenCommand } from './commands/token.js'
import { userCommand } from './commands/user.js'
import { CommandError, EXIT, Exit, type ExitCode, type Io, note } from './output.js'
import { Interrupted } from './prompt.js'
import { throwUsageErrors, UsageError } from './usage.js'
import { packageVersion } from './version.js'

/** Runs one command line and returns its exit code. Never throws: every error has become a line on stderr. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let debug = argv.includes('--debug') || ['1', 'true', 'yes', 'on'].includes(io.env.LATCHKEY_DEBUG ?? '')
  const settingsLoaded = (settings: { readonly debug: boolean }) => {
    debug = settings.debug
  }
  try {
    await program({ ...io, settingsLoaded }).parseAsync([...argv], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    return explain(error, io, debug)
  }
}

function program(io: Io): Command {
  const root = new Command('latchkey')
    .description('Token authentication for APIs: projects, users, tokens, server.')
    .version(packageVersion(), '-V, --version')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // `explain` says it, with the usage line in front.
      outputError: () => undefined,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
  root.commandsGroup('Project:')
  root.addCommand(startProjectCommand(io))
  root.addCommand(settingsCommand(io))
  root.addCommand(checkCommand(io))
  root.addCommand(secretCommand(io))
  root.addCommand(keysCommand(io))
  root.addCommand(serveCommand(io))
  root.addCommand(runCommand(io))
  root.commandsGroup('Database:')
  root.addCommand(migrateCommand(io))
  root.addCommand(showMigrationsCommand(io))
  root.addCommand(flushExpiredTokensCommand(io))
  root.addCommand(partitionCommand(io))
  root.commandsGroup('Users and tokens:')
  root.addCommand(userCommand(io))
  root.addCommand(tokenCommand(io))
  root.addCommand(jwtCommand(io))
  root.commandsGroup("Django's names for some of these:")
  root.addCommand(createUserCommand(io, 'createsuperuser', 'superuser'))
  root.addCommand(createUserCommand(io, 'createuser', 'user'))
  root.addCommand(changePasswordCommand(io, 'changepassword'))
  root.addCommand(drfCreateTokenCommand(io))
  root.commandsGroup('Help:')
  root.helpCommand(false)
  root.addCommand(helpCommand(root))
  root.addHelpText('after', AFTER_HELP)
  for (const command of root.commands) inheritSettings(root, command)
  throwUsageErrors(root)
  return root
}

/** `latchkey help token list`: the help of a command at any depth. */
function helpCommand(root: Command): Command {
  const command = new Command('help')
    .description('print the help of a command')
    .argument('[command...]', 'for example: token list')
    .action((words: readonly string[]) => {
      let found = root
      for (const word of words) {
        const next = found.commands.find((one) => one.name() === word || one.aliases().includes(word))
        if (next === undefined) throw new UsageError(command, `there is no command '${words.join(' ')}'`)
        found = next
      }
      found.outputHelp()
    })
  return command
}

/** The same in a terminal and in a pipe. */
const HELP_WIDTH = 100

const AFTER_HELP = `
Exit codes: 0 done; 1 refused or failed, stderr says why; 2 wrong command line; 70 unexpected error; 130 interrupted.
Settings come from latchkey.config.ts, then LATCHKEY_… variables, then flags: see \`latchkey settings\`.`

/** `addCommand` copies nothing from the parent. */
function inheritSettings(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent)
  if (command.commands.length > 0)
    command.commandsGroup('Help:').helpCommand('help [command]', 'print the help of a command')
  for (const subcommand of command.commands) inheritSettings(command, subcommand)
}

/** Says what went wrong, in one line where the person can do something about it. */
function explain(error: unknown, io: Io, debug: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof Exit) return error.code
  if (error instanceof UsageError) {
    for (const line of error.lines) note(io, line)
    return EXIT.usage
  }
  if (error instanceof Interrupted) {
    io.stderr.write('\nOperation cancelled.\n')
    return EXIT.interrupted
  }
  if (debug && error instanceof Error) io.stderr.write(`${printableLines(String(error.stack))}\n`)
  if (error instanceof CommandError || error instanceof SettingsError || isLatchkeyError(error)) {
    note(io, `CommandError: ${refusalText(error)}`)
    return error instanceof SettingsError && error.source === 'flag' ? EXIT.usage : EXIT.refused
  }
  const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
  note(io, `latchkey: unexpected error: ${reason}${debug ? '' : ' (LATCHKEY_DEBUG=1 shows where)'}`)
  return EXIT.crashed
}

/** The store's detail says what to do; its public message is for callers of an API. */
function refusalText(error: Error): string {
  return isLatchkeyError(error) ? (error.detail ?? error.publicMessage) : error.message
}

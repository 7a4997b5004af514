/** `latchkey import django FILE`: users with the ids, dates, flags and password hashes that they have in Django. */
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { UserImportReport } from 'latchkey'
import { FORMATS, type Format, readUsers, type Seen } from '../import-users/read-users.js'
import { textOf } from '../import-users/text-source.js'
import { withoutSealing } from '../open.js'
import { CommandError, EXIT, Exit, type Io, note, printJson, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

export function importCommand(io: Io): Command {
  return new Command('import').description('bring users from elsewhere').addCommand(djangoCommand(io))
}

interface Flags {
  readonly model: string
  readonly usernameField: string
  readonly format?: Format
  readonly dryRun?: boolean
  readonly json?: boolean
}

function djangoCommand(io: Io): Command {
  const command = new Command('django')
    .description('import users of Django: all of them with their ids, or none')
    .argument('<file>', '`dumpdata` as JSON or JSON lines, or CSV with a header; -: standard input')
    .option('--model <app.model>', 'the model of the users, where the project has its own', 'auth.user')
    .option('--username-field <field>', "the model's USERNAME_FIELD", 'username')
    .addOption(new Option('--format <format>', 'default: by how the file begins').choices(FORMATS))
    .option('--dry-run', 'change nothing, and say what would happen')
    .option('--json', 'print the report as one JSON document')
    .action(async (file: string, flags: Flags) => {
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        const seen: Seen = { otherModels: new Map(), otherFields: new Set(), users: 0 }
        const text = textOf(io, file === '-' ? file : resolve(io.cwd, file))
        const rows = readUsers(text, flags, seen)
        const report = await latchkey.users.import(rows, { dryRun: flags.dryRun ?? false })
        if (seen.users === 0) throw new CommandError(nothingFound(file, flags, seen))
        if (flags.json) printJson(io, report)
        else print(io, report)
        if (seen.otherFields.size > 0) note(io, `Not imported: ${[...seen.otherFields].sort().join(', ')}.`)
        if (report.refusedCount > 0) throw new Exit(EXIT.refused)
      })
    })
    .addHelpText(
      'after',
      '\nUsers who are here already with the same id and username stay as they are: the same file can be imported again.',
    )
  return withSettings(command)
}

function nothingFound(file: string, { model }: Flags, { otherModels }: Seen): string {
  const [other] = [...otherModels].sort(([, one], [, two]) => two - one)
  if (other === undefined) return `${file}: there are no users in it`
  const names = [...otherModels.keys()].sort().join(', ')
  return `${file}: there is no ${model} in it, only ${names}: name the model of the users by --model`
}

/** Lists are cut, so that the one that matters can be read. */
function print(io: Io, report: UserImportReport): void {
  const { dryRun, created, unchanged, refused, refusedCount, unknownHashes, unknownHashCount } = report
  for (const { at, username } of unknownHashes)
    note(
      io,
      `Warning: ${at} (${username}): the password hash is of an unknown format: no password will work.`,
    )
  if (unknownHashCount > unknownHashes.length)
    note(io, `Warning: and ${unknownHashCount - unknownHashes.length} more.`)
  for (const { at, username, reason } of refused)
    note(io, `Refused: ${at}${username === null ? '' : ` (${username})`}: ${reason}.`)
  if (refusedCount > refused.length) note(io, `Refused: and ${refusedCount - refused.length} more.`)
  const counts = `${created} to create, ${unchanged} unchanged, ${refusedCount} refused`
  if (refusedCount > 0) note(io, `Nothing was changed: ${counts}.`)
  else if (dryRun) printLine(io, `Nothing was changed (--dry-run): ${counts}.`)
  else printLine(io, `Imported ${created} ${created === 1 ? 'user' : 'users'}; ${unchanged} unchanged.`)
}

/** `latchkey secret generate|rotate`: the server's secret, and how another takes its place while servers run. */
import { Command } from 'commander'
import type { Latchkey } from 'latchkey'
import { changeSecretFile, newSecret, readSecretFile } from '../../settings/secret-file.js'
import { withLatchkey } from '../open.js'
import { CommandError, type Io, note, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

interface RotateFlags {
  /** False: `--no-new`. */
  readonly new: boolean
  readonly dropOld?: boolean
}

export function secretCommand(io: Io): Command {
  return new Command('secret')
    .description('make and rotate the secret that seals tokens at rest')
    .addCommand(generateCommand(io))
    .addCommand(rotateCommand(io))
}

function generateCommand(io: Io): Command {
  return new Command('generate')
    .description('print a new random secret, for LATCHKEY_SECRET')
    .action(() => printLine(io, newSecret()))
}

function rotateCommand(io: Io): Command {
  const command = new Command('rotate')
    .description('seal every token under a new secret; callers notice nothing')
    .option('--no-new', 'make no new secret: seal under the newest there is')
    .option('--drop-old', 'then remove the older secrets from the file')
    .addHelpText('after', ROTATE_HELP)
    .action(async (flags: RotateFlags) => {
      const settings = await loadSettings(io, command)
      await withLatchkey(io, settings, ({ latchkey, secret: { file } }) =>
        file === undefined ? resealOnly(io, latchkey, flags) : rotateFile(io, latchkey, file, flags),
      )
    })
  return withSettings(command)
}

const ROTATE_HELP = `
With a secret file: puts a new secret in front, seals all tokens under it and keeps the older ones, so that running
servers go on; they read the file by themselves. Restart them, then remove the older secrets for good:
  latchkey secret rotate
  latchkey secret rotate --no-new --drop-old
With LATCHKEY_SECRET=new,old: seals all tokens under the first one. Then set it to the first one alone.`

/** The environment is not ours to change: say what is left to do. */
async function resealOnly(io: Io, latchkey: Latchkey, { dropOld }: RotateFlags): Promise<void> {
  if (dropOld) throw new CommandError('--drop-old changes a secret file: LATCHKEY_SECRET is yours to change')
  await reseal(io, latchkey)
  note(io, 'LATCHKEY_SECRET needs only its first secret now: drop the others, and restart the servers.')
}

async function rotateFile(io: Io, latchkey: Latchkey, file: string, flags: RotateFlags): Promise<void> {
  await changeSecretFile(file, async (write) => {
    if (flags.new) write([newSecret(), ...readSecretFile(file)])
    if (flags.new) note(io, `Put a new secret in front of ${file}.`)
  })
  // A Latchkey of its own: the one at hand was built before the new secret was there.
  await reseal(io, latchkey)
  const [newest = '', ...older] = readSecretFile(file)
  if (older.length === 0) return
  if (!flags.dropOld) {
    note(io, 'Older secrets stay until `latchkey secret rotate --no-new --drop-old`; restart the servers before that.')
    return
  }
  await changeSecretFile(file, async (write) => write([newest]))
  note(io, `Removed ${older.length} older secret${older.length === 1 ? '' : 's'}. Restart servers that still run with them.`)
}

/** Prints what was done. Throws `CommandError` when tokens stay under a secret that nobody has: nothing may be dropped then. */
async function reseal(io: Io, latchkey: Latchkey): Promise<void> {
  const { resealed, unopened } = await latchkey.tokens.reseal()
  printLine(io, `Sealed ${resealed} token${resealed === 1 ? '' : 's'} under the newest secret.`)
  if (unopened > 0) {
    throw new CommandError(`${unopened} sealed under a secret that is not at hand: add it as an older one, or reset these tokens`)
  }
}

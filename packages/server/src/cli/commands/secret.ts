/** `latchkey secret generate|rotate`: the server's secret, and how another takes its place while servers run. */
import { Command } from 'commander'
import { changeSecretFile, newSecret, readSecretFile } from '../../settings/secret-file.js'
import { withLatchkey } from '../open.js'
import { CommandError, type Io, note, printLine } from '../output.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'

interface RotateFlags {
  /** False: `--no-new`. */
  readonly new: boolean
  readonly dropOld?: boolean
}

export function secretCommand(io: Io): Command {
  return new Command('secret')
    .description('make and rotate the secret that seals tokens and keys')
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
    .description('seal every token and signing key under a new secret; callers notice nothing')
    .option('--no-new', 'make no new secret: seal under the newest there is')
    .option('--drop-old', 'then remove the older secrets from the file')
    .addHelpText('after', ROTATE_HELP)
    .action(async (flags: RotateFlags) => {
      const settings = await loadSettings(io, command)
      const file = await withLatchkey(io, settings, async ({ secret }) => secret.file)
      if (file === undefined) await resealOnly(io, settings, flags)
      else await changeSecretFile(file, (write) => rotateFile(io, settings, flags, { file, write }))
    })
  return withSettings(command)
}

const ROTATE_HELP = `
With a secret file: puts a new secret in front, seals everything under it and keeps the older ones, so that running
servers go on; they read the file by themselves. Restart them, then remove the older secrets for good:
  latchkey secret rotate
  latchkey secret rotate --no-new --drop-old
With LATCHKEY_SECRET=new,old: seals everything under the first one. Then set it to the first one alone.`

/** The environment is not ours to change: say what is left to do. */
async function resealOnly(io: Io, settings: LoadedSettings, { dropOld }: RotateFlags): Promise<void> {
  if (dropOld) throw new CommandError('--drop-old changes a secret file: LATCHKEY_SECRET is yours to change')
  await reseal(io, settings)
  if ((settings.values.secret ?? []).length < 2) {
    note(
      io,
      'LATCHKEY_SECRET has one secret: to rotate, put a new one and a comma in front of it, and run this again.',
    )
  } else
    note(io, 'LATCHKEY_SECRET needs only its first secret now: drop the others, and restart the servers.')
}

interface SecretFile {
  readonly file: string
  readonly write: (secrets: readonly string[]) => void
}

async function rotateFile(io: Io, settings: LoadedSettings, flags: RotateFlags, { file, write }: SecretFile) {
  if (flags.new) {
    write([newSecret(), ...readSecretFile(file)])
    note(io, `Put a new secret in front of ${file}.`)
  }
  await reseal(io, settings)
  const [newest = '', ...older] = readSecretFile(file)
  if (older.length === 0) return
  if (flags.dropOld) {
    write([newest])
    note(io, `Removed ${counted(older.length, 'older secret')}.`)
  } else {
    note(io, 'Older secrets stay: restart the servers, then `latchkey secret rotate --no-new --drop-old`.')
  }
}

/**
 * Opens a Latchkey that knows the newest secret, and prints what was done.
 * @throws CommandError when something stays under a secret that is not at hand: nothing may be dropped then
 */
async function reseal(io: Io, settings: LoadedSettings): Promise<void> {
  const { tokens, keys } = await withLatchkey(io, settings, async ({ latchkey }) => ({
    tokens: await latchkey.tokens.reseal(),
    keys: await latchkey.signingKeys.reseal(),
  }))
  const sealed = [counted(tokens.resealed, 'token'), counted(keys.resealed, 'signing key')]
  // Most have no signing keys: they are not named where there was nothing to do.
  const named = keys.resealed === 0 ? sealed.slice(0, 1) : sealed
  printLine(io, `Sealed ${named.join(' and ')} under the newest secret.`)
  const unopened = tokens.unopened + keys.unopened
  if (unopened === 0) return
  const advice = keys.unopened === 0 ? 'reset these tokens' : 'reset these tokens and retire these keys'
  throw new CommandError(
    `${unopened} sealed under a secret that is not at hand: add it as an older one, or ${advice}`,
  )
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `latchkey secret generate|rotate|adopt`: the server's secret, and how another takes its place while servers run. */
import { Command } from 'commander'
import { changeSecretFile, newSecret, readSecretFile } from '../../settings/secret-file.js'
import { isPostgres } from '../../settings/setting-kinds.js'
import { type Opened, withLatchkey } from '../open.js'
import { CommandError, type Io, note, printLine } from '../output.js'
import { sealingTrouble } from '../sealing.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'

interface RotateFlags {
  /** False: `--no-new`. */
  readonly new: boolean
  readonly dropOld?: boolean
  readonly vacuumFull?: boolean
}

export function secretCommand(io: Io): Command {
  return new Command('secret')
    .description('make and rotate the secret that seals tokens and keys')
    .addCommand(generateCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(adoptCommand(io))
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
    .option('--vacuum-full', 'PostgreSQL: rewrite the tables, so that no old seal stays in their files')
    .addHelpText('after', ROTATE_HELP)
    .action(async (flags: RotateFlags) => {
      const settings = await loadSettings(io, command)
      const file = await withLatchkey(io, settings, async ({ secret }) => secret.file)
      if (file === undefined) await rotateVariable(io, settings, flags)
      else await changeSecretFile(file, (write) => rotateFile(io, settings, flags, { file, write }))
    })
  return withSettings(command)
}

const ROTATE_HELP = `
With a secret file: puts a new secret in front, seals everything under it and keeps the older ones, so that running
servers go on; they read the file by themselves. Restart them, then remove the older secrets for good:
  latchkey secret rotate
  latchkey secret rotate --no-new --drop-old
With LATCHKEY_SECRET=new,old: seals everything under the first one. Then set it to the first one alone.

When the older secrets go, what was sealed under them is erased: an SQLite file is rewritten, which writers wait for.
On PostgreSQL --vacuum-full rewrites the tables one by one; nobody else uses a table meanwhile.`

function adoptCommand(io: Io): Command {
  const command = new Command('adopt')
    .description('seal under the secret at hand from now on, where the secret of the store is lost')
    .action(async () => {
      const settings = await loadSettings(io, command)
      await withLatchkey(io, settings, async ({ latchkey }) => {
        if ((await latchkey.sealing.state()).maySeal) {
          note(io, 'The secret at hand is one of this store already.')
          return
        }
        await latchkey.sealing.adopt()
        const { held, missing } = await latchkey.sealing.state()
        printLine(io, `New records are sealed under key ${held[0]}.`)
        note(
          io,
          `What is sealed under key ${missing.join(', ')} stays closed: reset those tokens, rotate the signing keys ` +
            'with `latchkey keys rotate --now` and retire the old ones, then run `latchkey secret rotate --no-new`.',
        )
      })
    })
  return withSettings(command)
}

/** The environment is not ours to change: say what is left to do. */
async function rotateVariable(io: Io, settings: LoadedSettings, flags: RotateFlags): Promise<void> {
  if (flags.dropOld) {
    throw new CommandError('--drop-old changes a secret file: LATCHKEY_SECRET is yours to change')
  }
  await withLatchkey(io, settings, refuseForeign)
  await resealAndErase(io, settings, flags)
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
  await withLatchkey(io, settings, refuseForeign)
  if (flags.new) {
    write([newSecret(), ...readSecretFile(file)])
    note(io, `Put a new secret in front of ${file}.`)
  }
  const [newest = '', ...older] = readSecretFile(file)
  if (older.length > 0 && !flags.dropOld) {
    await withLatchkey(io, settings, (opened) => reseal(io, opened, 'held'))
    note(io, 'Older secrets stay: restart the servers, then `latchkey secret rotate --no-new --drop-old`.')
    return
  }
  // Erased first: a command that is interrupted in between is repeated with all secrets at hand.
  await resealAndErase(io, settings, flags)
  if (older.length === 0) return
  write([newest])
  note(io, `Removed ${counted(older.length, 'older secret')}.`)
}

async function resealAndErase(io: Io, settings: LoadedSettings, flags: RotateFlags): Promise<void> {
  await withLatchkey(io, settings, async (opened) => {
    await reseal(io, opened, 'newest')
    await erase(io, settings, opened, flags)
  })
}

/**
 * Seals everything under the newest secret, prints what was done, and withdraws the other keys.
 * @throws CommandError when something stays under a secret that is not at hand: nothing may be dropped then
 */
async function reseal(io: Io, { latchkey }: Opened, keep: 'held' | 'newest'): Promise<void> {
  const first = await resealAll(latchkey)
  if (first.unopened === 0) await latchkey.sealing.withdraw(keep)
  // Once more, for what another process sealed under an older key before that key was withdrawn.
  const last = first.unopened === 0 ? await resealAll(latchkey) : first
  const tokens = first.tokens + (last === first ? 0 : last.tokens)
  const keys = first.keys + (last === first ? 0 : last.keys)
  const sealed = [counted(tokens, 'token'), counted(keys, 'signing key')]
  // Most have no signing keys: they are not named where there was nothing to do.
  printLine(io, `Sealed ${(keys === 0 ? sealed.slice(0, 1) : sealed).join(' and ')} under the newest secret.`)
  if (last.unopened === 0) return
  const advice = last.unopenedKeys === 0 ? 'reset these tokens' : 'reset these tokens and retire these keys'
  throw new CommandError(
    `${last.unopened} sealed under a secret that is not at hand: add it as an older one, or ${advice}`,
  )
}

async function resealAll({ tokens, signingKeys }: Opened['latchkey']) {
  const ofTokens = await tokens.reseal()
  const ofKeys = await signingKeys.reseal()
  return {
    tokens: ofTokens.resealed,
    keys: ofKeys.resealed,
    unopened: ofTokens.unopened + ofKeys.unopened,
    unopenedKeys: ofKeys.unopened,
  }
}

/** What was sealed before is in free pages and old row versions: with it and an old secret, tokens could be read. */
async function erase(io: Io, settings: LoadedSettings, { store }: Opened, { vacuumFull }: RotateFlags) {
  if (isPostgres(settings.values.database) && !vacuumFull) {
    note(
      io,
      'PostgreSQL keeps replaced rows in its files until their tables are rewritten: `latchkey secret rotate --no-new ' +
        '--vacuum-full` does it. Archived WAL, replicas and backups keep what they have.',
    )
    return
  }
  const { freePages, advice } = await store.eraseReplaced()
  if (advice !== null) throw new CommandError(advice)
  if (freePages === null) note(io, 'Rewrote the tables: no replaced row is left in their files.')
  else note(io, `Rewrote the database file: ${counted(freePages, 'free page')} erased, WAL emptied.`)
}

/** Before anything changes: with a secret of another store nothing can be sealed anew. */
async function refuseForeign({ latchkey }: Opened): Promise<void> {
  if ((await latchkey.sealing.state()).maySeal) return
  const trouble = await sealingTrouble(latchkey)
  throw new CommandError(
    `${trouble}: add the secret of the store, or run \`latchkey secret adopt\` if it is lost`,
  )
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

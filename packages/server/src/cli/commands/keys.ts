/** `latchkey keys generate|rotate|list|retire`: the keys in the store that sign JWTs. */
import { Command, Option } from 'commander'
import type { JwsAlgorithm, KeyRetirement, Latchkey, SigningKeyInfo } from 'latchkey'
import { withLatchkey, withoutSealing } from '../open.js'
import { CommandError, type Io, note, printJson, printLine, printTable, timeText } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

interface NewKeyFlags {
  readonly algorithm?: JwsAlgorithm
  readonly now?: boolean
}

export function keysCommand(io: Io): Command {
  return new Command('keys')
    .description('make, rotate, list and retire the keys that sign JWTs')
    .addCommand(generateCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(listCommand(io))
    .addCommand(retireCommand(io))
}

function generateCommand(io: Io): Command {
  const command = new Command('generate')
    .description('make the first key, which signs at once, and print its kid; where one signs, print that')
    .addOption(algorithmOption('default: ES256'))
    .action(async ({ algorithm }: NewKeyFlags) => {
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        const { key, created } = await latchkey.signingKeys.generate(algorithm && { algorithm })
        printLine(io, key.kid)
        if (!created) note(io, 'This key signs already: `latchkey keys rotate` makes another one.')
        noteUnused(io, latchkey)
      })
    })
  return withSettings(command)
}

function rotateCommand(io: Io): Command {
  const command = new Command('rotate')
    .description('make the next key, and print its kid; callers notice nothing')
    .addOption(algorithmOption('default: that of the key that signs'))
    .option('--now', 'sign with it at once, though others may not know it yet: for a key that must go')
    .addHelpText('after', ROTATE_HELP)
    .action(async ({ algorithm, now }: NewKeyFlags) => {
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        const key = await latchkey.signingKeys.rotate({
          ...(algorithm && { algorithm }),
          ...(now && { publishSeconds: 0 }),
        })
        printLine(io, key.kid)
        const from = key.state === 'signing' ? 'now' : timeText(key.activeFrom)
        note(io, `It signs from ${from} on; tokens of the keys before it stay good until they expire.`)
        noteUnused(io, latchkey)
      })
    })
  return withSettings(command)
}

const ROTATE_HELP = `
The new key is published at once, and signs when \`jwt.publishSeconds\` have passed and everybody who caches our keys has
it. The keys before it are refused when the last token that they can have signed has expired.
A key that others may know:
  latchkey keys rotate --now
  latchkey keys retire <kid>`

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list keys, in the order in which they sign; never a private one')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const keys = await latchkey.signingKeys.list()
        if (json) printJson(io, keys)
        else if (keys.length === 0) note(io, 'No signing keys.')
        else printTable(io, HEADINGS, keys.map(cellsOf))
      })
    })
  return withSettings(command)
}

const HEADINGS = ['KID', 'ALGORITHM', 'STATE', 'CREATED', 'SIGNS FROM', 'RETIRES'] as const

function cellsOf(key: SigningKeyInfo): readonly string[] {
  const { kid, algorithm, state, createdAt, activeFrom, retiresAt } = key
  return [kid, algorithm, state, timeText(createdAt), timeText(activeFrom), timeText(retiresAt)]
}

function retireCommand(io: Io): Command {
  const command = new Command('retire')
    .description('refuse everything that a key signed, from now on')
    .argument('<kid>', 'as in `latchkey keys list`')
    .action(async (kid: string) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const outcome = await latchkey.signingKeys.retire(kid)
        if (outcome !== 'retired') throw new CommandError(`${kid}: ${REFUSALS[outcome]}`)
        printLine(io, `Retired key ${kid}: its tokens are refused.`)
      })
    })
  return withSettings(command)
}

const REFUSALS: Readonly<Record<Exclude<KeyRetirement, 'retired'>, string>> = {
  not_found: 'there is no such key, or it has retired: see `latchkey keys list`',
  needed: 'no other key signs yet: run `latchkey keys rotate --now` first',
}

/** Those that have a public half: a secret cannot be published. */
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
] as const satisfies readonly JwsAlgorithm[]

function algorithmOption(fallback: string): Option {
  return new Option('--algorithm <name>', `what it signs with (${fallback})`).choices(ALGORITHMS)
}

function noteUnused(io: Io, { jwts }: Latchkey): void {
  if (jwts?.options.keys === 'store') return
  note(io, "Nothing is signed with it: jwt: { keys: 'store' } is not in the settings.")
}

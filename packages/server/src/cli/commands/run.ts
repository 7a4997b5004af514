/** `latchkey run FILE`: a script with the project's settings and secret, so that what it seals the servers can open. */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { Command } from 'commander'
import type { Latchkey } from 'latchkey'
import { loadModule } from '../../settings/config-file.js'
import { withLatchkey } from '../open.js'
import { CommandError, type Io } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

/** What the module exports as `main`. */
export type ScriptMain = (latchkey: Latchkey, args: readonly string[]) => unknown

export function runCommand(io: Io): Command {
  const command = new Command('run')
    .description("run a module's main(latchkey, args) with the project's settings, database and secret")
    .argument('<file>', 'TypeScript or JavaScript: export async function main(latchkey, args) { … }')
    .argument('[args...]', 'what main gets as its second argument; put -- in front of options')
    .action(async (file: string, args: readonly string[]) => {
      const settings = await loadSettings(io, command)
      const main = await loadMain(resolve(io.cwd, file))
      await withLatchkey(io, settings, async ({ latchkey }) => {
        await main(latchkey, args)
      })
    })
  return withSettings(command)
}

async function loadMain(file: string): Promise<ScriptMain> {
  if (!existsSync(file)) throw new CommandError(`there is no ${file}`)
  const { main } = await loadModule(file)
  if (typeof main === 'function') return main as ScriptMain
  throw new CommandError(`${basename(file)} has no main: export async function main(latchkey, args) { … }`)
}

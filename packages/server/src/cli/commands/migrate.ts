/** `latchkey migrate`: makes the database, or brings it to this version. */
import { Command } from 'commander'
import { openStore } from '../open.js'
import { type Io, printJson, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

export function migrateCommand(io: Io): Command {
  const command = new Command('migrate')
    .description('create the database, or bring its tables to this version')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const store = openStore(await loadSettings(io, command), 'create')
      try {
        const applied = await store.migrate()
        if (json) printJson(io, { database: store.path, applied })
        else if (applied.length === 0) printLine(io, 'No migrations to apply.')
        else for (const name of applied) printLine(io, `Applied ${name}`)
      } finally {
        await store.close()
      }
    })
  return withSettings(command)
}

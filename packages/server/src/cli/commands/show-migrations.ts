/** `latchkey showmigrations`: which migrations the database has. Changes nothing, and makes no file. */
import { existsSync } from 'node:fs'
import { sqlite } from '@latchkey/sql'
import { Command } from 'commander'
import { isPostgres } from '../../settings/setting-kinds.js'
import { openStore } from '../open.js'
import { type Io, printJson, printLine } from '../output.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'

export function showMigrationsCommand(io: Io): Command {
  const command = new Command('showmigrations')
    .description('list migrations; [X] marks those that the database has')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const migrations = await migrationsOf(await loadSettings(io, command))
      if (json) printJson(io, migrations)
      else
        for (const { name, appliedAt } of migrations)
          printLine(io, ` [${appliedAt === null ? ' ' : 'X'}] ${name}`)
    })
  return withSettings(command)
}

async function migrationsOf(settings: LoadedSettings) {
  const { database } = settings.values
  const isThere = isPostgres(database) || existsSync(database)
  const store = isThere ? openStore(settings) : sqlite(':memory:', { migrate: false })
  try {
    return await store.migrations()
  } finally {
    await store.close()
  }
}

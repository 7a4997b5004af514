/** `latchkey partition`: parts the table of tokens on PostgreSQL, for very many of them. */
import { PARTITION_LIMITS } from '@latchkey/sql'
import { Command, InvalidArgumentError, Option } from 'commander'
import { isPostgres } from '../../settings/setting-kinds.js'
import { openStore } from '../open.js'
import { CommandError, type Io, note, printJson, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

export function partitionCommand(io: Io): Command {
  const command = new Command('partition')
    .description('PostgreSQL: partition the table of tokens, for very many of them')
    .addOption(partitionsOption())
    .option('--json', 'print one JSON document')
    .action(async ({ partitions, json }: { partitions: number; json?: boolean }) => {
      const settings = await loadSettings(io, command)
      const { database } = settings.values
      const refusal = new CommandError(`${database}: an SQLite file has no partitions: PostgreSQL has`)
      if (!isPostgres(database)) throw refusal
      const store = openStore(settings)
      try {
        if (!('partitionTokens' in store)) throw refusal
        const result = await store.partitionTokens({ partitions })
        const { before, copied } = result
        if (json) printJson(io, { database: store.path, ...result })
        else if (before === partitions) printLine(io, `Tokens have ${partitions} partitions already.`)
        else printLine(io, `Tokens have ${partitions} partitions now. Copied: ${copied}.`)
        if (before === 1) note(io, 'Start running servers again: they find tokens faster then.')
      } finally {
        await store.close()
      }
    })
  return withSettings(command)
}

function partitionsOption(): Option {
  const { min, max } = PARTITION_LIMITS
  return new Option('--partitions <number>', `how many, from ${min} to ${max}`)
    .argParser((text) => {
      const partitions = /^\d+$/.test(text) ? Number(text) : Number.NaN
      if (partitions >= min && partitions <= max) return partitions
      throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`)
    })
    .makeOptionMandatory()
}

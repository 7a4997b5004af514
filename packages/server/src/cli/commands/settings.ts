/** `latchkey settings`: every value with where it comes from; secrets stay hidden. */
import { existsSync } from 'node:fs'
import { parsePostgresAddress } from '@latchkey/sql'
import { Command } from 'commander'
import { isPostgres, type SettingRow } from '../../settings/setting-kinds.js'
import { SETTING_KEYS, SETTINGS, type SettingKey } from '../../settings/settings.js'
import { defaultSecretFile } from '../open.js'
import { type Io, printJson, printTable } from '../output.js'
import { type LoadedSettings, loadSettings, withSettings } from '../session.js'
import { defaultUrls } from '../urls.js'

export function settingsCommand(io: Io): Command {
  const command = new Command('settings')
    .description('print every setting with its value and where that comes from')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const settings = await loadSettings(io, command)
      const rows = SETTING_KEYS.map((key) => ({ key, ...shown(io, settings, key) }))
      if (json) {
        printJson(
          io,
          Object.fromEntries(rows.map(({ key, value, source, env }) => [key, { value, source, env }])),
        )
        return
      }
      const cells = rows.map(({ key, value, source }) => [key, textOf(value), source])
      printTable(io, ['SETTING', 'VALUE', 'FROM'], cells)
    })
  return withSettings(command, 'serve')
}

const HIDDEN = '********'

function shown(io: Io, settings: LoadedSettings, key: SettingKey) {
  const row: SettingRow = SETTINGS[key]
  const value = settings.values[key] ?? implied(io, settings, key)
  const hide = row.secret === true && value !== undefined && value !== null
  return {
    value: hide ? HIDDEN : withoutCredentials(row, value ?? null),
    source: settings.sources[key].name,
    env: row.env,
  }
}

/** An address keeps all but its password. Of Redis the user is hidden too: some write the password in its place. */
function withoutCredentials({ kind }: SettingRow, value: unknown): unknown {
  const isAddress = kind === 'redis' || kind === 'postgres' || kind === 'database'
  if (!isAddress || typeof value !== 'string' || (kind === 'database' && !isPostgres(value))) return value
  const address = kind === 'redis' ? new URL(value) : parsePostgresAddress(value)
  if (address === null) return HIDDEN
  if (address.password !== '') address.password = HIDDEN
  if (address.username !== '' && kind === 'redis') address.username = HIDDEN
  if (address.searchParams.has('password')) address.searchParams.set('password', HIDDEN)
  return address.href
}

/** What acts where nothing is set. */
function implied(io: Io, settings: LoadedSettings, key: SettingKey): string | undefined {
  if (key === 'secretFile' && settings.values.secret === undefined) return defaultSecretFile(settings)
  return key === 'urls' ? [defaultUrls(io.cwd)].find((file) => existsSync(file)) : undefined
}

function textOf(value: unknown): string {
  return value === null ? '-' : Array.isArray(value) ? value.join(',') || '-' : String(value)
}

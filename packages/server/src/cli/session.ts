/** What a command is given: the outside world and its settings. `main.ts` makes it, `open.ts` builds on it. */
import type { Command } from 'commander'
import { type LatchkeyConfig, loadConfig } from '../settings/config-file.js'
import { type ResolvedSettings, resolveSettings } from '../settings/resolve-settings.js'
import type { SettingRow } from '../settings/setting-kinds.js'
import { SETTING_KEYS, SETTINGS } from '../settings/settings.js'
import type { Io } from './output.js'

/** Settings as a command sees them, with the code of the config file. */
export interface LoadedSettings extends ResolvedSettings {
  readonly config: LatchkeyConfig
  /** Absolute; undefined: there is no config file. */
  readonly configFile: string | undefined
}

/** Adds `--config` and the flags of the settings table to a command; `serve` adds those of the server as well. */
export function withSettings(command: Command, scope: SettingRow['scope'] = 'all'): Command {
  command.optionsGroup('Settings:')
  command.option('--config <file>', 'settings file (default: ./latchkey.config.ts, if there is one)')
  for (const key of SETTING_KEYS) {
    const row: SettingRow = SETTINGS[key]
    if (row.flag === null || (row.scope === 'serve' && scope === 'all')) continue
    const takesValue = row.kind !== 'switch'
    const shown =
      takesValue && row.default !== undefined ? ` (default: ${String(row.default) || 'none'})` : ''
    command.option(takesValue ? `${row.flag} <${PLACEHOLDERS[row.kind]}>` : row.flag, row.description + shown)
  }
  return command
}

const PLACEHOLDERS: { readonly [K in Exclude<SettingRow['kind'], 'switch'>]: string } & {
  readonly switch?: never
} = {
  text: 'text',
  path: 'file',
  database: 'file',
  postgres: 'address',
  redis: 'address',
  integer: 'number',
  workers: 'number',
  rate: 'rate',
  secrets: 'text',
  addresses: 'list',
}

/** Reads the settings for a command that `withSettings` was given. Throws `SettingsError`. */
export async function loadSettings(
  io: Io,
  command: Command,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<LoadedSettings> {
  const given = command.opts<{ config?: string }>()
  const { file, config } = await loadConfig(io.cwd, given.config)
  const flags = Object.fromEntries(
    SETTING_KEYS.filter((key) => command.getOptionValueSource(key) === 'cli').map((key) => [
      key,
      command.getOptionValue(key) as unknown,
    ]),
  )
  const resolved = resolveSettings({
    config: { ...config },
    ...(file === undefined ? {} : { configFile: file }),
    env: io.env,
    flags: { ...flags, ...overrides },
    cwd: io.cwd,
  })
  io.settingsLoaded?.(resolved.values)
  return { ...resolved, config, configFile: file }
}

/** Defaults, config file, environment and flags, put together: what `loadSettings` of the commands calls. */
import { basename, dirname } from 'node:path'
import { readSetting, type SettingRow, type SettingValue } from './setting-kinds.js'
import { SETTING_KEYS, SETTINGS, type SettingKey, type Settings } from './settings.js'
import { type SettingSource, SettingsError } from './settings-error.js'

export interface ResolvedSettings {
  readonly values: Settings
  readonly sources: { readonly [K in SettingKey]: SettingSource }
}

export interface ResolveOptions {
  /** Of the config file, by key. */
  readonly config?: Readonly<Record<string, unknown>>
  /** The config file: its relative paths start at its folder. */
  readonly configFile?: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** By key, as text; `true` and `false` for switches. */
  readonly flags: Readonly<Record<string, unknown>>
  /** Where all other relative paths start. */
  readonly cwd: string
}

/**
 * Defaults, then the config file, then the environment, then flags: the last one that says something wins. An empty
 * environment variable says nothing.
 * @throws SettingsError that names the source and what it must be; never the value of a secret
 */
export function resolveSettings(options: ResolveOptions): ResolvedSettings {
  const values: Partial<Record<SettingKey, SettingValue | undefined>> = {}
  const sources: Partial<Record<SettingKey, SettingSource>> = {}
  for (const key of SETTING_KEYS) {
    const { source, raw, baseFolder } = candidateOf(key, options)
    sources[key] = source
    values[key] = raw === undefined ? undefined : read(key, raw, source, baseFolder)
  }
  // Both are filled by a loop over the very keys, through the readers that `Kinds` names.
  return Object.freeze({ values: values as Settings, sources: sources as ResolvedSettings['sources'] })
}

interface Candidate {
  readonly source: SettingSource
  readonly raw: unknown
  readonly baseFolder: string
}

function candidateOf(
  key: SettingKey,
  { config = {}, configFile, env, flags, cwd }: ResolveOptions,
): Candidate {
  const row: SettingRow = SETTINGS[key]
  const text = env[row.env]?.trim()
  if (flags[key] !== undefined) {
    return { source: { from: 'flag', name: row.flag ?? key }, raw: flags[key], baseFolder: cwd }
  }
  if (text) return { source: { from: 'environment', name: row.env }, raw: text, baseFolder: cwd }
  if (config[key] !== undefined && configFile !== undefined) {
    const source: SettingSource = { from: 'config', name: basename(configFile) }
    return { source, raw: config[key], baseFolder: dirname(configFile) }
  }
  return { source: { from: 'default', name: 'default' }, raw: row.default, baseFolder: cwd }
}

function read(key: SettingKey, raw: unknown, source: SettingSource, baseFolder: string): SettingValue {
  const isText = source.from === 'environment' || source.from === 'flag'
  const result = readSetting(SETTINGS[key], raw, { isText, baseFolder })
  if ('problem' in result) {
    const name = source.from === 'config' ? `${source.name}: ${key}` : source.name
    throw new SettingsError(name, result.problem, source.from)
  }
  return result.value
}

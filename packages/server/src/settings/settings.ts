/** Every setting, in one table: types, environment, flags, `latchkey settings`, help and manual are made from its rows. */
import { basename, dirname } from 'node:path'
import { type Kinds, readSetting, type SettingKind, type SettingValue } from './setting-kinds.js'

/** Everything there is to say about one setting. */
export interface SettingRow {
  readonly kind: SettingKind
  /** Environment variable. */
  readonly env: string
  /** Command line flag; null: not there, because every user of a machine can read command lines. */
  readonly flag: string | null
  /** undefined: not set unless somebody sets it. */
  readonly default: SettingValue | undefined
  /** For integers, both inclusive. */
  readonly min?: number
  readonly max?: number
  /** Never printed. */
  readonly secret?: true
  /** Which commands have the flag: all of them, or only those that serve. */
  readonly scope: 'all' | 'serve'
  readonly description: string
}

export const SETTINGS = Object.freeze({
  database: {
    kind: 'database',
    env: 'LATCHKEY_DATABASE',
    flag: '--database',
    default: './latchkey.sqlite3',
    scope: 'all',
    description: 'SQLite file with users and tokens',
  },
  secret: {
    kind: 'secrets',
    env: 'LATCHKEY_SECRET',
    flag: null,
    default: undefined,
    secret: true,
    scope: 'all',
    description:
      'seals tokens at rest; 32 or more random characters; several, separated by commas: newest first',
  },
  secretFile: {
    kind: 'path',
    env: 'LATCHKEY_SECRET_FILE',
    flag: '--secret-file',
    default: undefined,
    scope: 'all',
    description:
      'file with the secret, one a line, newest first (default: .latchkey/secret beside the database)',
  },
  environment: {
    kind: 'text',
    env: 'NODE_ENV',
    flag: '--environment',
    default: 'development',
    scope: 'all',
    description: 'in production no secret is made up: it must be given',
  },
  debug: {
    kind: 'switch',
    env: 'LATCHKEY_DEBUG',
    flag: '--debug',
    default: false,
    scope: 'all',
    description: 'show where errors come from',
  },
  host: {
    kind: 'text',
    env: 'LATCHKEY_HOST',
    flag: '--host',
    default: '127.0.0.1',
    scope: 'serve',
    description: 'address to listen on',
  },
  port: {
    kind: 'integer',
    env: 'LATCHKEY_PORT',
    flag: '--port',
    default: 8000,
    min: 0,
    max: 65_535,
    scope: 'serve',
    description: 'port to listen on; 0: any free one',
  },
  urls: {
    kind: 'path',
    env: 'LATCHKEY_URLS',
    flag: '--urls',
    default: undefined,
    scope: 'serve',
    description: 'module that exports urlpatterns (default: ./urls.ts, if there is one)',
  },
  loginRate: {
    kind: 'rate',
    env: 'LATCHKEY_LOGIN_RATE',
    flag: '--login-rate',
    default: '10/min',
    scope: 'serve',
    description: 'failed logins for each account and address, as 10/min; off: any number',
  },
  trustedProxies: {
    kind: 'addresses',
    env: 'LATCHKEY_TRUSTED_PROXIES',
    flag: '--trusted-proxies',
    default: Object.freeze([]),
    scope: 'serve',
    description: 'addresses and ranges whose X-Forwarded-For is believed, separated by commas',
  },
  maxBodyBytes: {
    kind: 'integer',
    env: 'LATCHKEY_MAX_BODY_BYTES',
    flag: '--max-body-bytes',
    default: 1_048_576,
    min: 0,
    max: 2 ** 31 - 1,
    scope: 'serve',
    description: 'longer request bodies are refused with 413',
  },
  cacheEntries: {
    kind: 'integer',
    env: 'LATCHKEY_CACHE_ENTRIES',
    flag: '--cache-entries',
    default: 50_000,
    min: 0,
    max: 100_000_000,
    scope: 'serve',
    description: 'verified tokens kept in memory; 0: none',
  },
  passwordHashConcurrency: {
    kind: 'integer',
    env: 'LATCHKEY_PASSWORD_HASH_CONCURRENCY',
    flag: '--password-hash-concurrency',
    default: undefined,
    min: 1,
    max: 1024,
    scope: 'serve',
    description: 'passwords checked at the same time (default: processors less one, at most 3)',
  },
  sessionTtlSeconds: {
    kind: 'integer',
    env: 'LATCHKEY_SESSION_TTL_SECONDS',
    flag: '--session-ttl-seconds',
    default: 1_209_600,
    min: 1,
    max: 3_153_600_000,
    scope: 'serve',
    description: 'how long a session cookie is good for',
  },
  browsableApi: {
    kind: 'switch',
    env: 'LATCHKEY_BROWSABLE_API',
    flag: '--no-browsable-api',
    default: true,
    scope: 'serve',
    description: 'answer browsers with HTML pages; the flag switches them off',
  },
  requestTimeoutSeconds: {
    kind: 'integer',
    env: 'LATCHKEY_REQUEST_TIMEOUT_SECONDS',
    flag: '--request-timeout-seconds',
    default: 30,
    min: 1,
    max: 3600,
    scope: 'serve',
    description: 'a request that takes longer to arrive is refused with 408',
  },
  shutdownSeconds: {
    kind: 'integer',
    env: 'LATCHKEY_SHUTDOWN_SECONDS',
    flag: '--shutdown-seconds',
    default: 10,
    min: 0,
    max: 3600,
    scope: 'serve',
    description: 'what running requests get to finish when the server is told to stop',
  },
} as const satisfies Record<string, SettingRow>)

export type SettingKey = keyof typeof SETTINGS

/** The table's keys, in its order. */
export const SETTING_KEYS = Object.freeze(Object.keys(SETTINGS) as SettingKey[])

type ValueOf<Row extends SettingRow> =
  | Kinds[Row['kind']]
  | (Row['default'] extends undefined ? undefined : never)

/** The values after defaults, config file, environment and flags. */
export type Settings = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> }

/** What a config file may set. */
export type SettingsInput = { readonly [K in SettingKey]?: Kinds[(typeof SETTINGS)[K]['kind']] }

/** Where a value comes from. `name` is what the person can change: `latchkey.config.ts`, `LATCHKEY_PORT`, `--port`. */
export interface SettingSource {
  readonly from: 'default' | 'config' | 'environment' | 'flag'
  readonly name: string
}

export interface ResolvedSettings {
  readonly values: Settings
  readonly sources: { readonly [K in SettingKey]: SettingSource }
}

/** A setting that cannot be used; the message begins with what the person can change. */
export class SettingsError extends Error {
  readonly source: SettingSource['from']

  constructor(name: string, problem: string, source: SettingSource['from'] = 'config') {
    super(`${name}: ${problem}`)
    this.name = 'SettingsError'
    this.source = source
  }
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

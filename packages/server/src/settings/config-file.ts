/** Finds and loads `latchkey.config.ts`, and the modules that settings name. The commands' `loadSettings` calls it. */
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { createJiti } from 'jiti'
import type {
  Authenticator,
  ExceptionHandler,
  JwtOptions,
  LatchkeyEvent,
  Permission,
  Throttle,
  TokenPolicy,
} from 'latchkey'
import type { UrlPattern } from '../http/urls.js'
import { nearest } from './nearest.js'
import { SETTING_KEYS, type SettingsInput } from './settings.js'
import { SettingsError } from './settings-error.js'

/** What `latchkey.config.ts` exports: settings, and the defaults of views that only code can express. */
export interface LatchkeyConfig extends SettingsInput {
  /** DRF's DEFAULT_AUTHENTICATION_CLASSES. Default is `[tokenAuthentication()]`. */
  readonly authentication?: readonly Authenticator[]
  /** DRF's DEFAULT_PERMISSION_CLASSES. Default is `[isAuthenticated]`. */
  readonly permissions?: readonly Permission[]
  /** DRF's DEFAULT_THROTTLE_CLASSES. Default is none. */
  readonly throttles?: readonly Throttle[]
  /** Signing key and settings of JWTs: simplejwt's SIMPLE_JWT. Default is no JWTs. */
  readonly jwt?: JwtOptions
  /** Kinds of tokens beside the built-in `authtoken`: `[knox(…).policy]`. */
  readonly policies?: readonly TokenPolicy[]
  /** Told about logins, logouts and expired tokens. */
  readonly onEvent?: (event: LatchkeyEvent) => void
  /** DRF's EXCEPTION_HANDLER. Default is DRF's shape of errors. */
  readonly exceptionHandler?: ExceptionHandler
  /** Which view answers where, instead of a `urls` module. */
  readonly urlpatterns?: readonly UrlPattern[]
}

/** Gives `latchkey.config.ts` its types: `export default defineConfig({ port: 8080 })`. */
export function defineConfig(config: LatchkeyConfig): LatchkeyConfig {
  return config
}

export interface LoadedConfig {
  /** Absolute; undefined: there is none. */
  readonly file: string | undefined
  readonly config: LatchkeyConfig
}

const FILE_NAMES = ['latchkey.config.ts', 'latchkey.config.js', 'latchkey.config.mjs'] as const

/** Key -> what it must be. */
const CODE_KEYS = Object.freeze({
  authentication: 'list',
  permissions: 'list',
  throttles: 'list',
  jwt: 'object',
  policies: 'list',
  onEvent: 'function',
  exceptionHandler: 'function',
  urlpatterns: 'list',
})

/**
 * The config file of a folder, or the one that is named.
 * @throws SettingsError when it is not there, does not load, or has a key that is no setting
 */
export async function loadConfig(cwd: string, named?: string): Promise<LoadedConfig> {
  const file = named === undefined ? findConfig(cwd) : resolve(cwd, named)
  if (file === undefined) return { file, config: {} }
  if (!existsSync(file)) throw new SettingsError('--config', `there is no ${file}`, 'flag')
  const { default: config } = await loadModule(file)
  const name = basename(file)
  if (!isObject(config)) {
    throw new SettingsError(name, 'must have a default export: export default defineConfig({ … })')
  }
  refuseUnknown(name, config)
  return { file, config }
}

/**
 * The `urlpatterns` that a module exports.
 * @throws SettingsError when it does not load or exports none
 */
export async function loadUrlpatterns(file: string): Promise<readonly UrlPattern[]> {
  if (!existsSync(file)) throw new SettingsError('urls', `there is no ${file}`)
  const { urlpatterns } = await loadModule(file)
  return checkedUrlpatterns(basename(file), urlpatterns)
}

/** @throws SettingsError unless every entry was made by `path()` */
export function checkedUrlpatterns(name: string, urlpatterns: unknown): readonly UrlPattern[] {
  if (Array.isArray(urlpatterns) && urlpatterns.every(isUrlPattern)) return urlpatterns
  throw new SettingsError(name, 'urlpatterns must be a list of path(…): export const urlpatterns = [path(…)]')
}

function findConfig(cwd: string): string | undefined {
  return FILE_NAMES.map((name) => join(cwd, name)).find((file) => existsSync(file))
}

/** TypeScript and JavaScript alike. Nothing is cached on disk, where another user of a shared folder could write. */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  const jiti = createJiti(import.meta.url, { fsCache: false, interopDefault: false })
  try {
    return await jiti.import<Record<string, unknown>>(file)
  } catch (error) {
    // The second line is where: a parser's errors have no other place for it.
    const [reason = '', place = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    const where = /:\d+:\d+$/.test(place.trim()) ? ` ${place.trim()}` : ''
    throw Object.assign(new SettingsError(basename(file), `does not load: ${reason.trim()}${where}`), {
      cause: error,
    })
  }
}

function refuseUnknown(name: string, config: object): void {
  const known: readonly string[] = [...SETTING_KEYS, ...Object.keys(CODE_KEYS)]
  for (const key of Object.keys(config)) {
    if (known.includes(key)) continue
    const suggestion = nearest(key, known)
    throw new SettingsError(
      name,
      `'${key}' is not a setting${suggestion ? `; did you mean '${suggestion}'?` : ''}`,
    )
  }
  for (const [key, kind] of Object.entries(CODE_KEYS)) {
    const value: unknown = Reflect.get(config, key)
    const actual = Array.isArray(value) ? 'list' : typeof value
    if (value !== undefined && actual !== kind)
      throw new SettingsError(name, `${key} must be a${kind === 'object' ? 'n' : ''} ${kind}`)
  }
}

function isObject(value: unknown): value is LatchkeyConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isUrlPattern(value: unknown): value is UrlPattern {
  if (typeof value !== 'object' || value === null || !('route' in value) || !('view' in value)) return false
  const { view } = value
  return typeof view === 'function' || (typeof view === 'object' && view !== null && 'handlers' in view)
}

/** What `latchkey check` looks at: a table of checks, each with its id, its finding and what to do about it. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { createLatchkey, isLatchkeyError, memoryStore, secretWeakness } from 'latchkey'
import { nearest } from '../settings/nearest.js'
import { newSecret } from '../settings/secret-file.js'
import { SETTING_KEYS, SETTINGS } from '../settings/settings.js'
import { SettingsError } from '../settings/settings-error.js'
import { proxiesWeakness } from '../settings/wide-proxies.js'
import {
  findSecret,
  open,
  openStore,
  optionsOf,
  refuseLostSecret,
  requireMigrated,
  sealingPolicies,
  willMakeSecret,
} from './open.js'
import { CommandError, type Io } from './output.js'
import { redisTrouble } from './redis.js'
import { sealingTrouble } from './sealing.js'
import { type LoadedSettings, loadSettings } from './session.js'
import { hidesBehindUnnamedProxy, isLoopback, UNNAMED_PROXY_HINT } from './unnamed-proxy.js'
import { findUrlpatterns } from './urls.js'

export type Level = 'error' | 'warning'

export interface Finding {
  readonly id: string
  readonly level: Level
  readonly message: string
  readonly hint: string
}

interface CheckContext {
  readonly io: Io
  readonly command: Command
}

export interface Check {
  /** True: only with `--deploy`. */
  readonly deployOnly: boolean
  run(context: CheckContext): Promise<readonly Finding[]>
}

/** Something to look at; returns what is wrong, or null. */
type Look = (settings: LoadedSettings, io: Io) => Promise<string | null> | string | null

/** In this order; settings that cannot be read are E001 and end all others. */
export const CHECKS: readonly Check[] = Object.freeze([
  settingsCheck(),
  check('E002', 'error', databaseProblem, '`latchkey settings` prints which database is meant'),
  check('E003', 'error', secretProblem, '`latchkey secret generate` prints a secret for LATCHKEY_SECRET'),
  check(
    'E004',
    'error',
    sealProblem,
    'give the secret that these were sealed under, or, if it is lost, `latchkey secret adopt` and reset the tokens',
  ),
  check('E005', 'error', urlsProblem, '`export const urlpatterns = [path(…)]`'),
  check(
    'E006',
    'error',
    hasOpenCookies,
    "write `secure: process.env.NODE_ENV === 'production'`: then the cookies are safe here and work there",
    true,
  ),
  check(
    'E007',
    'error',
    keyProblem,
    '`latchkey keys list` prints the keys, `latchkey keys rotate` makes one',
  ),
  check(
    'E008',
    'error',
    redisProblem,
    'start it, or unset LATCHKEY_REDIS: as it is, logins that are counted get 503',
  ),
  check('E009', 'error', optionsProblem, 'each option is described at `createLatchkey`'),
  variablesCheck(),
  deploy('W002', isNotProduction, 'set NODE_ENV=production: then no secret is made up'),
  deploy(
    'W003',
    hasDevelopmentSecret,
    'set LATCHKEY_SECRET, or LATCHKEY_SECRET_FILE to a file that you keep',
  ),
  check('W004', 'warning', hasWeakSecret, 'take what `latchkey secret generate` prints'),
  deploy(
    'W005',
    isOpenWithoutProxy,
    'put a proxy with TLS in front and name it in LATCHKEY_TRUSTED_PROXIES, or listen on 127.0.0.1',
  ),
  check(
    'W006',
    'warning',
    trustsStrangers,
    'name the addresses of your proxies: else any caller chooses the address that is counted',
  ),
  deploy(
    'W007',
    hasNoLoginRate,
    'set LATCHKEY_LOGIN_RATE, for example to 10/min: else passwords can be guessed without end',
  ),
  deploy(
    'W008',
    isReadableByOthers,
    'chmod 600 the database and chmod 700 its folder: it holds password hashes',
  ),
  deploy('W009', isDebugging, 'unset LATCHKEY_DEBUG'),
  deploy('W010', hidesBehindUnnamedProxy, UNNAMED_PROXY_HINT),
])

function check(id: string, level: Level, look: Look, hint: string, deployOnly = false): Check {
  return {
    deployOnly,
    async run({ io, command }) {
      const settings = await loadSettings(io, command).catch(() => null)
      const message = settings === null ? null : await look(settings, io)
      return message === null ? [] : [{ id, level, message, hint }]
    },
  }
}

function deploy(id: string, look: Look, hint: string): Check {
  return check(id, 'warning', look, hint, true)
}

function settingsCheck(): Check {
  return {
    deployOnly: false,
    async run({ io, command }) {
      const message = await problemOf(() => loadSettings(io, command))
      return message === null
        ? []
        : [
            {
              id: 'E001',
              level: 'error',
              message,
              hint: '`latchkey settings` prints what is read from where',
            },
          ]
    },
  }
}

/** Variables that are ours without being settings. */
const OTHER_VARIABLES = ['LATCHKEY_SUPERUSER_PASSWORD']

/** A misspelt variable is silent otherwise: the default acts, and nobody knows why. */
function variablesCheck(): Check {
  return {
    deployOnly: false,
    async run({ io }) {
      const known = [...SETTING_KEYS.map((key): string => SETTINGS[key].env), ...OTHER_VARIABLES]
      const unknown = Object.keys(io.env).filter(
        (name) => name.startsWith('LATCHKEY_') && !known.includes(name),
      )
      return unknown.sort().map((name) => {
        const suggestion = nearest(name, known)
        const hint = suggestion
          ? `did you mean ${suggestion}?`
          : '`latchkey settings --json` names the variables'
        return { id: 'W001', level: 'warning', message: `${name} is no setting and has no effect.`, hint }
      })
    },
  }
}

function databaseProblem(settings: LoadedSettings): Promise<string | null> {
  return problemOf(async () => {
    const store = openStore(settings)
    try {
      await requireMigrated(store)
    } finally {
      await store.close()
    }
  })
}

function secretProblem(settings: LoadedSettings, io: Io): Promise<string | null> {
  return problemOf(async () => {
    if (!willMakeSecret(settings)) return findSecret(io, settings)
    return lostSecretProblem(settings)
  })
}

/** A secret that will be made opens nothing that is there. A database that is not there, or is not ready, is another check's. */
async function lostSecretProblem(settings: LoadedSettings): Promise<void> {
  if ((await databaseProblem(settings)) !== null) return
  const store = openStore(settings)
  try {
    await refuseLostSecret(store, settings)
  } finally {
    await store.close()
  }
}

/** Whether the secret belongs to this database: by the keys that the store knows, and by one token of each policy. */
async function sealProblem(settings: LoadedSettings, io: Io): Promise<string | null> {
  if (willMakeSecret(settings)) return null
  // Whatever keeps it from opening is said by another check.
  const opened = await open(io, settings).catch(() => null)
  if (opened === null) return null
  return problemOf(async () => {
    const trouble = await sealingTrouble(opened.latchkey)
    if (trouble !== null) throw new CommandError(trouble)
    for (const { name } of sealingPolicies(settings)) {
      const [token] = await opened.latchkey.tokens.list({ policy: name, limit: 1 })
      if (token !== undefined) await opened.latchkey.tokens.reveal(token)
    }
  }).finally(() => opened.close())
}

/** Whether a key signs, and opens, where the settings say that keys are in the store. */
async function keyProblem(settings: LoadedSettings, io: Io): Promise<string | null> {
  if (settings.config.jwt?.keys !== 'store' || willMakeSecret(settings)) return null
  const opened = await open(io, settings).catch(() => null)
  if (opened === null) return null
  return problemOf(async () => {
    await opened.latchkey.signingKeys.loaded.ready()
    opened.latchkey.signingKeys.loaded.signing()
  }).finally(() => opened.close())
}

/** Whether a Latchkey can be made of the config, whatever the database. */
async function optionsProblem(settings: LoadedSettings): Promise<string | null> {
  try {
    await createLatchkey({ store: memoryStore(), secret: newSecret(), ...optionsOf(settings) }).close()
    return null
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
}

function redisProblem({ values: { redis } }: LoadedSettings): Promise<string | null> {
  return problemOf(async () => {
    const trouble = redis === undefined ? null : await redisTrouble(redis)
    if (trouble !== null) throw new CommandError(trouble)
  })
}

function urlsProblem(settings: LoadedSettings, io: Io): Promise<string | null> {
  return problemOf(() => findUrlpatterns(io, settings))
}

function isNotProduction({ values }: LoadedSettings): string | null {
  return values.environment === 'production' ? null : `NODE_ENV is '${values.environment}'.`
}

function hasDevelopmentSecret({ values }: LoadedSettings): string | null {
  // Production makes none: that it has none is an error of its own.
  if (values.environment === 'production') return null
  const isOwn = values.secret !== undefined || values.secretFile !== undefined
  return isOwn ? null : 'The secret is the file that development makes by itself.'
}

export async function hasWeakSecret(settings: LoadedSettings, io: Io): Promise<string | null> {
  if (willMakeSecret(settings) || (await secretProblem(settings, io)) !== null) return null
  const { source } = findSecret(io, settings)
  const secrets = typeof source === 'function' ? source() : [source].flat()
  const weakness = secrets.map(secretWeakness).find((one) => one !== null)
  return weakness === undefined ? null : `The secret can be guessed: ${weakness}.`
}

function isOpenWithoutProxy({ values: { host, trustedProxies } }: LoadedSettings): string | null {
  if (isLoopback(host) || trustedProxies.length > 0) return null
  return `The server listens on ${host} without TLS, and no proxy is trusted.`
}

export function trustsStrangers({ values }: LoadedSettings): string | null {
  const weakness = proxiesWeakness(values.trustedProxies)
  return weakness === null ? null : `trustedProxies are no proxies of yours alone: ${weakness}.`
}

function hasNoLoginRate({ values }: LoadedSettings): string | null {
  return values.loginRate === null ? 'Failed logins are not limited.' : null
}

/** Windows has no such modes. */
function isReadableByOthers({ values: { database } }: LoadedSettings): string | null {
  if (process.platform === 'win32' || !existsSync(database)) return null
  const files = [database, `${database}-wal`, `${database}-shm`].filter((file) => existsSync(file))
  const exposed = files.find((file) => (statSync(file).mode & 0o077) !== 0)
  if (exposed !== undefined) return `Other users of this machine may read ${exposed}.`
  const folder = dirname(database)
  return (statSync(folder).mode & 0o002) === 0
    ? null
    : `Other users of this machine may replace files in ${folder}.`
}

function hasOpenCookies({ config }: LoadedSettings): string | null {
  return config.jwt?.cookies?.secure === false
    ? 'jwt.cookies.secure is false: cookies that hold tokens travel without TLS.'
    : null
}

function isDebugging({ values }: LoadedSettings): string | null {
  return values.debug ? 'LATCHKEY_DEBUG is on.' : null
}

/** The line with which this fails, or null. Anything but a refusal goes on its way. */
async function problemOf(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (isLatchkeyError(error)) return error.detail ?? error.publicMessage
    if (error instanceof SettingsError || error instanceof CommandError) return error.message
    throw error
  }
}

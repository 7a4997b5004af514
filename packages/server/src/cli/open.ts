/** From settings to a working Latchkey: the one place where commands open the store and find the secret. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type PostgresStore, postgres, type SqliteStore, sqlite } from '@latchkey/sql'
import {
  AUTHTOKEN,
  type Broadcast,
  createLatchkey,
  jsonRenderer,
  type Latchkey,
  type SecretSource,
  type TokenPolicy,
} from 'latchkey'
import { newSecret, readOrMakeSecretFile, readSecretFile } from '../settings/secret-file.js'
import { isPostgres } from '../settings/setting-kinds.js'
import { SettingsError } from '../settings/settings-error.js'
import { CommandError, type Io, note } from './output.js'
import { type OpenRedis, openRedis, type RedisUse, redisPlace } from './redis.js'
import type { LoadedSettings } from './session.js'

/** Where the secret comes from. */
export interface SecretPlace {
  readonly source: SecretSource
  /** undefined: LATCHKEY_SECRET or the config file, which Latchkey does not change. */
  readonly file: string | undefined
  /** True: nobody gave a secret, and development made one. */
  readonly isDevelopment: boolean
}

/** The store of a command: both are migrated and told of in the same way. */
export type SqlStore = SqliteStore | PostgresStore

export interface Opened {
  readonly latchkey: Latchkey
  readonly store: SqlStore
  readonly secret: SecretPlace
  /** Closes all of it, whatever happens. */
  close(): Promise<void>
}

/** Where a secret is kept when no setting says so: beside the database, or here when that is not a file. */
export function defaultSecretFile({ values: { database } }: LoadedSettings): string {
  return join(isPostgres(database) ? process.cwd() : dirname(database), '.latchkey', 'secret')
}

/**
 * Finds the secret: `secret`, else `secretFile`, else, outside of production, a file that is made.
 * @throws SettingsError, one line that says what to set
 */
export function findSecret(io: Io, settings: LoadedSettings): SecretPlace {
  const { secret, secretFile, environment } = settings.values
  const isProduction = environment === 'production'
  // As a function: what is weak about it is said by `check` and `serve`, and not by the library as well.
  if (secret !== undefined) return { source: () => secret, file: undefined, isDevelopment: false }
  if (isProduction && secretFile === undefined) {
    const advice = 'set it (`latchkey secret generate` prints one), or LATCHKEY_SECRET_FILE'
    throw new SettingsError('LATCHKEY_SECRET', `is missing, and production makes none up: ${advice}`)
  }
  const file = secretFile ?? defaultSecretFile(settings)
  if (isProduction) readSecretFile(file)
  else if (readOrMakeSecretFile(file).made)
    note(io, `Made a new secret in ${file}; keep it with the database.`)
  // A function: a running server reads the file again after a rotation.
  return { source: () => readSecretFile(file), file, isDevelopment: secretFile === undefined }
}

/** Whether the next command makes a secret by itself. */
export function willMakeSecret(settings: LoadedSettings): boolean {
  const { secret, secretFile, environment } = settings.values
  return (
    secret === undefined &&
    environment !== 'production' &&
    !existsSync(secretFile ?? defaultSecretFile(settings))
  )
}

/**
 * A new secret opens nothing that was sealed under one that is lost. Where there is such a thing it is not made: what was
 * lost may only be somewhere else.
 * @throws CommandError that says what to do
 */
export async function refuseLostSecret(store: SqlStore, settings: LoadedSettings): Promise<void> {
  const sealed = await hasSealed(store, settings)
  if (!sealed) return
  const file = settings.values.secretFile ?? defaultSecretFile(settings)
  throw new CommandError(
    `${file}: is not there, and the database has ${sealed} under a secret: bring it back, or set LATCHKEY_SECRET. ` +
      'If it is lost, make a new one (`latchkey secret generate`, then `latchkey secret adopt`), reset the tokens and rotate the keys',
  )
}

/** Those whose tokens are shown again, and so are sealed. */
export function sealingPolicies({ config }: LoadedSettings): readonly TokenPolicy[] {
  return [AUTHTOKEN, ...(config.policies ?? [])].filter(({ shownAgain }) => shownAgain)
}

async function hasSealed(store: SqlStore, settings: LoadedSettings): Promise<string | null> {
  const isSealed = ({ sealed }: { readonly sealed: Uint8Array | null }) => sealed !== null
  for (const { name } of sealingPolicies(settings)) {
    if ((await store.tokens.list({ policy: name }, { limit: 1 })).some(isSealed)) return 'tokens'
  }
  return (await store.keys.list()).some(isSealed) ? 'signing keys' : null
}

/** Opens an existing database. Throws `CommandError` where there is none: only `migrate` makes one. */
export function openStore(
  { values }: LoadedSettings,
  migrate: 'create' | 'existing' = 'existing',
  broadcast?: Broadcast,
): SqlStore {
  if (isPostgres(values.database)) return postgresStore(values, broadcast)
  if (migrate === 'existing' && existsSync(dirname(values.database)) && !existsSync(values.database)) {
    throw new CommandError(`${values.database}: no such table: run \`latchkey migrate\``)
  }
  // It needs no broadcast: all who share the file see what the others have changed.
  return sqlite(values.database, { migrate: false })
}

function postgresStore(values: LoadedSettings['values'], broadcast: Broadcast | undefined): PostgresStore {
  const { database, databaseReplica: replica, databasePoolSize: poolSize, ...more } = values
  const { transactionPooler, leaseSeconds } = more
  return postgres(database, {
    poolSize,
    transactionPooler,
    leaseSeconds,
    migrate: false,
    ...(replica && { replica }),
    ...(broadcast && { broadcast }),
  })
}

/** Runs a command's work on an open Latchkey, and closes it whatever happens. */
export async function withLatchkey<T>(
  io: Io,
  settings: LoadedSettings,
  work: (opened: Opened) => Promise<T>,
  use: RedisUse = 'command',
): Promise<T> {
  const opened = await open(io, settings, use)
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

/** As `withLatchkey`, for work that seals and opens nothing: a secret that is lost keeps nobody from revoking. */
export async function withoutSealing<T>(
  io: Io,
  settings: LoadedSettings,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const opened = await open(io, settings, 'command', 'none')
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}

/** Whether a command seals or opens anything. */
type Sealing = 'needed' | 'none'

async function secretFor(
  io: Io,
  settings: LoadedSettings,
  store: SqlStore,
  sealing: Sealing,
): Promise<SecretPlace> {
  try {
    if (willMakeSecret(settings)) {
      await refuseLostSecret(store, settings)
      // Nothing is sealed: keys that only deleted tokens were sealed under do not bind the new secret.
      await store.sealingKeys.retain([])
    }
  } catch (error) {
    if (sealing === 'needed' || !(error instanceof CommandError)) throw error
    note(io, `Warning: ${error.message}.`)
    return { source: newSecret(), file: undefined, isDevelopment: true }
  }
  return findSecret(io, settings)
}

/**
 * Opens the store and builds the Latchkey that the settings describe.
 * @throws CommandError when the database is missing or not migrated, SettingsError without a secret
 */
export async function open(
  io: Io,
  settings: LoadedSettings,
  use: RedisUse = 'command',
  sealing: Sealing = 'needed',
): Promise<Opened> {
  const redis = await redisOf(io, settings, use)
  let store: SqlStore | undefined
  try {
    store = openStore(settings, 'existing', redis?.broadcast)
    await requireMigrated(store)
    const secret = await secretFor(io, settings, store, sealing)
    const options = { ...optionsOf(settings), ...(redis && { counters: redis.counters }) }
    const latchkey = createLatchkey({ store, secret: secret.source, ...options })
    // Redis last: what was only counted so far is written to it, and what was changed is told over it.
    const close = () => latchkey.close().finally(() => redis?.close())
    return { store, secret, latchkey, close }
  } catch (error) {
    await store?.close()
    await redis?.close()
    throw error instanceof TypeError ? new CommandError(error.message, { cause: error }) : error
  }
}

/** What a Redis that is away means: neither a server nor a command stops for it. */
const WITHOUT_REDIS: { readonly [Use in RedisUse]: string } = {
  server:
    'Until it can be asked, logins that are counted get 503, and changes are heard through the database.',
  command: 'Servers hear of changes through the database.',
}

async function redisOf(io: Io, { values }: LoadedSettings, use: RedisUse): Promise<OpenRedis | undefined> {
  const { redis: address } = values
  if (address === undefined) return undefined
  const place = redisPlace(address)
  return openRedis(address, use, {
    away: (reason) => note(io, `Warning: ${place}: ${reason}. ${WITHOUT_REDIS[use]}`),
    back: () => note(io, `${place} can be asked again.`),
  })
}

/** Throws `CommandError` when the database lacks tables of this version. */
export async function requireMigrated(store: SqlStore): Promise<void> {
  const migrations = await store.migrations()
  const pending = migrations.filter(({ appliedAt }) => appliedAt === null).map(({ name }) => name)
  if (pending.length === 0) return
  const what = pending.length === migrations.length ? 'no such table' : `it lacks ${pending.join(', ')}`
  throw new CommandError(`${store.path}: ${what}: run \`latchkey migrate\``)
}

/** What the settings say to `createLatchkey`. */
export function optionsOf({ values, config }: LoadedSettings) {
  const {
    loginRate,
    loginAccountRate,
    loginAddressRate,
    trustedProxies,
    maxBodyBytes,
    cacheEntries,
    sessionTtlSeconds,
  } = values
  const { passwordHashConcurrency: concurrency, browsableApi } = values
  const { authentication, permissions, throttles, jwt, policies, onEvent, exceptionHandler } = config
  return {
    loginRate,
    loginAccountRate,
    loginAddressRate,
    trustedProxies,
    maxBodyBytes,
    cacheEntries,
    sessions: { ttlSeconds: sessionTtlSeconds },
    ...(concurrency === undefined ? {} : { passwords: { concurrency } }),
    ...(browsableApi ? {} : { renderers: [jsonRenderer()] }),
    ...(authentication && { authentication }),
    ...(permissions && { permissions }),
    ...(throttles && { throttles }),
    ...(jwt && { jwt }),
    ...(policies && { policies }),
    ...(onEvent && { onEvent }),
    ...(exceptionHandler && { exceptionHandler }),
  }
}

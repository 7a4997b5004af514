/** Every setting, in one table: types, environment, flags, `latchkey settings`, help and manual are made from its rows. */
import type { Kinds, SettingRow } from './setting-kinds.js'

export const SETTINGS = Object.freeze({
  database: {
    kind: 'database',
    env: 'LATCHKEY_DATABASE',
    flag: '--database',
    default: './latchkey.sqlite3',
    scope: 'all',
    description: 'SQLite file with users and tokens, or postgres://user:password@host/database',
  },
  databaseReplica: {
    kind: 'postgres',
    env: 'LATCHKEY_DATABASE_REPLICA',
    flag: '--database-replica',
    default: undefined,
    scope: 'serve',
    description: 'PostgreSQL: read replica for look-ups of tokens that are not in memory',
  },
  databasePoolSize: {
    kind: 'integer',
    env: 'LATCHKEY_DATABASE_POOL_SIZE',
    flag: '--database-pool-size',
    default: 10,
    min: 1,
    max: 10_000,
    scope: 'serve',
    description: 'PostgreSQL: connections of each worker, and one more that follows changes',
  },
  transactionPooler: {
    kind: 'switch',
    env: 'LATCHKEY_TRANSACTION_POOLER',
    flag: '--transaction-pooler',
    default: false,
    scope: 'all',
    description: 'PostgreSQL: the address is that of a pooler in transaction mode',
  },
  leaseSeconds: {
    kind: 'integer',
    env: 'LATCHKEY_LEASE_SECONDS',
    flag: '--lease-seconds',
    default: 2,
    min: 1,
    max: 600,
    scope: 'serve',
    description: 'PostgreSQL: how long a revocation by another node may stay unfelt, whatever happens',
  },
  redis: {
    kind: 'redis',
    env: 'LATCHKEY_REDIS',
    flag: null,
    default: undefined,
    scope: 'all',
    description:
      'redis://user:password@host/0: counts throttles and failed logins, and tells servers of changes at once',
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
  workers: {
    kind: 'workers',
    env: 'LATCHKEY_WORKERS',
    flag: '--workers',
    default: 1,
    min: 1,
    max: 1024,
    scope: 'serve',
    description: 'processes that share the port; auto: as many as there are processors',
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
  loginAccountRate: {
    kind: 'rate',
    env: 'LATCHKEY_LOGIN_ACCOUNT_RATE',
    flag: '--login-account-rate',
    default: '100/hour',
    scope: 'serve',
    description: 'failed logins for each account from all addresses, as 100/hour; off: any number',
  },
  loginAddressRate: {
    kind: 'rate',
    env: 'LATCHKEY_LOGIN_ADDRESS_RATE',
    flag: '--login-address-rate',
    default: '100/hour',
    scope: 'serve',
    description: 'failed logins from each address at all accounts, as 100/hour; off: any number',
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
    max: 16_000_000,
    scope: 'serve',
    description: 'verified tokens kept in memory, by each worker; 0: none',
  },
  passwordHashConcurrency: {
    kind: 'integer',
    env: 'LATCHKEY_PASSWORD_HASH_CONCURRENCY',
    flag: '--password-hash-concurrency',
    default: undefined,
    min: 1,
    max: 1024,
    scope: 'serve',
    description:
      'passwords that each worker checks at the same time (default: its share of all processors but one, at most 3)',
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

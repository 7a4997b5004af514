/** What can be set about a Latchkey, checked once when it is created. */
import type { Authenticator } from './authenticators/authenticator.js'
import type { Clock } from './clock.js'
import type { SecretSource } from './crypto/keyring.js'
import type { LatchkeyEvent } from './events.js'
import type { JwtOptions } from './jwt/jwt-options.js'
import {
  FUNCTION,
  having,
  listOf,
  numberRule,
  OPTIONS,
  orNull,
  type Rules,
  required,
  rule,
  TEXT,
  TEXTS,
  wholeNumber,
} from './options.js'
import type { PasswordsOptions } from './passwords/passwords.js'
import type { Permission } from './permissions/permission.js'
import type { SessionOptions } from './sessions/session-service.js'
import type { CounterStore, Store, UserSource } from './stores/store.js'
import type { Throttle } from './throttles/throttle.js'
import type { TokenPolicy } from './tokens/token-policy.js'
import type { ErrorListener, ExceptionHandler } from './views/error-answer.js'
import type { Parser } from './views/parsers/parser.js'
import type { Renderer } from './views/renderers/renderer.js'
import { ROUTE_RULES } from './views/view.js'

export interface LatchkeyOptions {
  /** Where records live: `sqlite('latchkey.db')` of `@latchkey/sql`, or `memoryStore()`. */
  readonly store: Store
  /** Seals what must be shown again; at least 32 characters. Several: the newest first. Undefined throws. */
  readonly secret: SecretSource | undefined
  /** DRF's DEFAULT_AUTHENTICATION_CLASSES. Default is `[tokenAuthentication()]`. */
  readonly authentication?: readonly Authenticator[]
  /** DRF's DEFAULT_PERMISSION_CLASSES. Default is `[isAuthenticated]`, where DRF lets everybody in. */
  readonly permissions?: readonly Permission[]
  /** DRF's DEFAULT_THROTTLE_CLASSES. Default is none. */
  readonly throttles?: readonly Throttle[]
  /**
   * How long what this process's throttles allowed may be unknown to other processes, in seconds; default is 1. With 0
   * the store decides every throttled request: exact, and a write each. Failed logins are always exact.
   */
  readonly throttleFlushSeconds?: number
  /** Where throttles and failed logins are counted: `redisCounters(client)` of `latchkey/redis`. Default is the store. */
  readonly counters?: CounterStore
  /** Default is JSON, form, multipart. */
  readonly parsers?: readonly Parser[]
  /** Default is JSON, then the HTML page. */
  readonly renderers?: readonly Renderer[]
  /** Bytes of a body beyond which the answer is 413. Default is 1 MiB. */
  readonly maxBodyBytes?: number
  /** Failed logins per account and address, in DRF's rate syntax; null: any number. Default is `10/min`. */
  readonly loginRate?: string | null
  /**
   * Failed logins per account, over all addresses; null: any number. Default is `100/hour`, or null where `loginRate` is.
   * The last 10 addresses of a user's successful logins, of the last 90 days, are exempt.
   */
  readonly loginAccountRate?: string | null
  /** Failed logins per address, over all accounts; null: any number. Default is `100/hour`, or null where `loginRate` is. */
  readonly loginAddressRate?: string | null
  /**
   * The proxies whose `X-Forwarded-For` is believed: addresses, ranges, and `unix` for one that connects to a Unix
   * socket. Default is none: behind a proxy all callers then count as one address, and `onError` gets a warning.
   */
  readonly trustedProxies?: readonly string[]
  /** Signing key and settings of JWTs: what `jwtAuthentication` and the `/api/token/` endpoints need. */
  readonly jwt?: JwtOptions
  /** Kinds of tokens beside the built-in `authtoken`: `[knox(…).policy]`. */
  readonly policies?: readonly TokenPolicy[]
  /** How long a use of a token that tracks them may wait in memory before it is written, in batches. Default is 30. */
  readonly lastUsedFlushSeconds?: number
  /**
   * Your own users table. Default is the store's. Every record that it returns is checked; a record that is not complete
   * is an error (500), never a user. With it nothing is cached unless `cacheEntries` says so.
   */
  readonly users?: UserSource
  /** With `users`, `upgrade` is false by default: a hash in your table is rewritten only when you ask for it. */
  readonly passwords?: Omit<PasswordsOptions, 'clock'>
  readonly sessions?: SessionOptions
  /**
   * Verified tokens kept in memory; 0 switches the cache off. Default is 50,000; with `users` it is 0, since a change
   * in a table of your own is not seen here unless you call `userChanged`.
   */
  readonly cacheEntries?: number
  readonly clock?: Clock
  /**
   * Told about every 5xx, when `onEvent` failed, and once of each mistake about proxies (`trustedProxies`). Default writes
   * one line to stderr.
   */
  readonly onError?: ErrorListener
  /** DRF's EXCEPTION_HANDLER: the last word on how an error is answered, in views and guards. Default is DRF's shape. */
  readonly exceptionHandler?: ExceptionHandler
  /**
   * Told about logins, logouts and tokens that ended, while the request waits: keep it short. What it throws goes to
   * `onError` and breaks nothing.
   */
  readonly onEvent?: (event: LatchkeyEvent) => void
}

/** Numbers and groups of options are looked at again, and more closely, by the services that use them. */
export const LATCHKEY_RULES: Rules<LatchkeyOptions> = Object.freeze({
  ...ROUTE_RULES,
  store: required(having('a store, such as memoryStore()', 'close')),
  secret: rule(
    'be a text, a list of texts, or a function that gives one',
    (value) => TEXT.holds(value) || TEXTS.holds(value) || FUNCTION.holds(value),
  ),
  throttleFlushSeconds: numberRule(0),
  counters: having('what counts, such as redisCounters(client)', 'hit'),
  loginRate: orNull(TEXT),
  loginAccountRate: orNull(TEXT),
  loginAddressRate: orNull(TEXT),
  trustedProxies: TEXTS,
  jwt: OPTIONS,
  policies: listOf('policies, such as knox().policy', OPTIONS.holds),
  lastUsedFlushSeconds: numberRule(0),
  users: having('a user source', 'findById', 'findByUsername'),
  passwords: OPTIONS,
  sessions: OPTIONS,
  cacheEntries: wholeNumber(0),
  clock: having('a clock: { nowMs: () => … }', 'nowMs'),
  onError: FUNCTION,
  exceptionHandler: FUNCTION,
  onEvent: FUNCTION,
})

/** The composition root for embedders: options in, services and mounted views out. */
import { composeAuthenticators } from './authenticators/compose.js'
import { tokenAuthentication } from './authenticators/token.js'
import { trustedProxies } from './client-address.js'
import { checkedClock, systemClock } from './clock.js'
import { Keyring, type SecretSource } from './crypto/keyring.js'
import { secretWeakness } from './crypto/secret-weakness.js'
import { obtainAuthToken } from './endpoints/obtain-auth-token.js'
import { isLatchkeyError, stackOf } from './errors.js'
import { eventEmitter } from './events.js'
import { createGate, type Gate } from './gate.js'
import type { GuardPolicy } from './guard.js'
import { isSameUserId, type UserId, userIdOf } from './identity.js'
import { JwtService } from './jwt/jwt-service.js'
import { SigningKeys } from './jwt/signing-keys.js'
import { LATCHKEY_RULES, type LatchkeyOptions } from './latchkey-options.js'
import { printable, printableLines } from './log-text.js'
import { checkOptions, checkValue, hasMember, required, rule } from './options.js'
import { createPasswords, type PasswordsOptions } from './passwords/passwords.js'
import { isAuthenticated } from './permissions/is-authenticated.js'
import { type IdentityBehind, PERMISSIONS, type Permission } from './permissions/permission.js'
import { ProxyWarnings } from './proxy-warnings.js'
import { parseRate } from './rates.js'
import type { Handler } from './request.js'
import { Sealer } from './sealing/sealer.js'
import type { Services } from './services.js'
import { SessionService } from './sessions/session-service.js'
import type { Store } from './stores/store.js'
import { checkedCounters } from './throttles/checked-counters.js'
import { ThrottleCounters } from './throttles/throttle-counters.js'
import { TokenService } from './tokens/token-service.js'
import type { LoginRates } from './users/login-limits.js'
import { LoginService } from './users/login-service.js'
import { checkedUserSource } from './users/user-record.js'
import { UserService } from './users/user-service.js'
import { dispatch } from './views/dispatch.js'
import { safeListener } from './views/error-answer.js'
import { formParser } from './views/parsers/form.js'
import { jsonParser } from './views/parsers/json.js'
import { multipartParser } from './views/parsers/multipart.js'
import { browsableRenderer } from './views/renderers/browsable.js'
import { jsonRenderer } from './views/renderers/json.js'
import type { Renderer } from './views/renderers/renderer.js'
import type { CompletePolicy, View } from './views/view.js'

/** Everything an app touches. */
export interface Latchkey extends Services {
  /** The store's users. */
  readonly users: UserService
  /** What guards a route that sets nothing itself. */
  readonly policy: GuardPolicy
  /** Ready-made views, mounted with their defaults. */
  readonly endpoints: { readonly obtainAuthToken: Handler }
  /** Mounts a view: what an adapter then serves. */
  handler(view: View): Handler
  /**
   * A guard for a route that is not a view. Without a list the default permissions are asked; an empty one asks nothing.
   * The gate of `isAuthenticated` gives a user that is not null.
   */
  gate<const P extends readonly Permission[]>(permissions?: P): Gate<IdentityBehind<P>>
  /**
   * Says that a user of your own table has changed (blocked, renamed, gone), so that no verification answers from
   * memory any more, here at once and on other nodes when this resolves, and that logins which are under way create
   * nothing: call it after the change, and await it. Only needed with `users`: the store's own users publish their changes
   * themselves. Rejects with `store_unavailable`.
   */
  userChanged(id: UserId): Promise<void>
  /** Writes the uses of tokens and the throttled requests that are only counted so far, and releases the store. */
  close(): Promise<void>
}

/** What `onError` is told when uses could not be written. */
const FLUSH = Object.freeze({ method: 'FLUSH', path: 'last-used' })

/** What `onError` is told when processes could not tell each other what they allowed. */
const EXCHANGE = Object.freeze({ method: 'FLUSH', path: 'throttles' })

/** What `onError` is told with a warning about proxies. */
const PROXIES = Object.freeze({ method: 'CHECK', path: 'trustedProxies' })

const MEBIBYTE = 1024 * 1024
const DEFAULT_CACHE_ENTRIES = 50_000

/**
 * Builds a Latchkey.
 * @throws TypeError that names the option, for every option that cannot work
 */
export function createLatchkey(latchkeyOptions: LatchkeyOptions): Latchkey {
  const options = checkOptions('createLatchkey', latchkeyOptions, LATCHKEY_RULES)
  const { store, maxBodyBytes = MEBIBYTE } = options
  const clock = options.clock === undefined ? systemClock : checkedClock(options.clock)
  const onError = safeListener(options.onError ?? logError, logError)
  const counters = options.counters === undefined ? store.counters : checkedCounters(options.counters)
  if (options.secret === undefined) {
    throw new TypeError('secret: is missing; set LATCHKEY_SECRET to at least 32 random characters')
  }
  const defaults = completeDefaults(options, maxBodyBytes)
  // Records of the store's own users were made by the store; those of an app's table are checked where they enter.
  const hasOwnUsers = options.users !== undefined && options.users !== store.users
  const userSource =
    hasOwnUsers && options.users !== undefined ? checkedUserSource(options.users) : store.users
  const passwords = createPasswords({ ...passwordsOptions(options, hasOwnUsers), clock })
  const cacheEntries = options.cacheEntries ?? (options.users === undefined ? undefined : 0)
  const emit = eventEmitter(options.onEvent, (error, { kind }) =>
    onError(error, { method: 'EVENT', path: kind }),
  )
  warnOfWeakSecret(options.secret)
  const keyring = new Keyring(options.secret)
  const signingKeys = new SigningKeys({ store, keyring, clock, ...(options.jwt && { jwt: options.jwt }) })
  const services: Services = Object.freeze({
    tokens: new TokenService({
      store,
      users: userSource,
      keyring,
      clock,
      emit,
      onTrouble: (error) => onError(error, FLUSH),
      ...(options.lastUsedFlushSeconds === undefined
        ? {}
        : { lastUsedFlushSeconds: options.lastUsedFlushSeconds }),
      ...(options.policies === undefined ? {} : { policies: options.policies }),
      ...(cacheEntries === undefined ? {} : { cacheEntries }),
    }),
    login: new LoginService({
      users: userSource,
      passwords,
      counters,
      access: store.access,
      clock,
      rates: loginRates(options),
      loginAddresses: store.loginAddresses,
      macs: (text) => keyring.macs('login address', text),
      exactUsernames: !hasOwnUsers,
      emit,
    }),
    sessions: new SessionService({ ...options.sessions, store, users: userSource, clock }),
    jwts:
      options.jwt === undefined
        ? null
        : new JwtService({
            ...options.jwt,
            store,
            users: userSource,
            clock,
            cacheEntries: cacheEntries ?? DEFAULT_CACHE_ENTRIES,
            emit,
            signingKeys,
          }),
    signingKeys,
    sealing: new Sealer(keyring, store),
    userSource,
    counters,
    throttles: new ThrottleCounters({
      counters,
      clock,
      throttleFlushSeconds: options.throttleFlushSeconds,
      onTrouble: (error) => onError(error, EXCHANGE),
    }),
    clock,
    isTrustedProxy: trustedProxies(options.trustedProxies ?? []),
    proxyWarnings: new ProxyWarnings((options.trustedProxies ?? []).length > 0, (warning) =>
      onError(warning, PROXIES),
    ),
  })
  // Without `jwt` here, another program on this store may have issued some.
  const endJwts = (id: UserId) =>
    services.jwts?.revokeUser(id) ?? store.jwts.revokeUser(id, new Date(clock.nowMs()))
  const context = { services, onError, exceptionHandler: options.exceptionHandler }
  const handler = (view: View): Handler => {
    checkValue('view', view, VIEW)
    const policy: CompletePolicy = {
      ...defaults,
      ...view.policy,
      renderers: renderersOf(view.policy.renderers, defaults),
    }
    return (request, route = {}) => dispatch(view, policy, request, route, context)
  }
  return Object.freeze({
    ...services,
    users: new UserService({
      users: store.users,
      passwords,
      clock,
      // Ids of a table of your own are others.
      ...(userSource === store.users && options.jwt?.revokeOnPasswordChange !== false && { endJwts }),
    }),
    policy: defaults,
    endpoints: Object.freeze({ obtainAuthToken: handler(obtainAuthToken()) }),
    handler,
    userChanged: (user: UserId) => {
      const changed = narrowUser(userIdOf(user), services, store)
      // Who does not wait for it still has the caches of this process emptied; a rejection is for those who wait.
      changed.catch(() => undefined)
      return changed
    },
    gate: <P extends readonly Permission[]>(permissions?: P) => {
      checkValue('permissions', permissions, PERMISSIONS)
      const policy =
        permissions === undefined ? defaults : { ...defaults, permissions: Object.freeze([...permissions]) }
      // The guard checks the permissions that `IdentityBehind` is computed from.
      return createGate(policy, { ...defaults, ...context }) as Gate<IdentityBehind<P>>
    },
    close: async () => {
      // A store that is in trouble is closed all the same; what was counted in the last seconds is then lost.
      await services.throttles.flush()
      await services.tokens.flushUses().catch((error: unknown) => onError(error, FLUSH))
      await store.close()
    },
  })
}

/** Who switches off the limit per account and address has none, unless another one is named. */
function loginRates({ loginRate, loginAccountRate, loginAddressRate }: LatchkeyOptions): LoginRates {
  const others = loginRate === null ? null : '100/hour'
  return {
    pair: parseRate(loginRate === undefined ? '10/min' : loginRate, 'loginRate'),
    account: parseRate(loginAccountRate === undefined ? others : loginAccountRate, 'loginAccountRate'),
    address: parseRate(loginAddressRate === undefined ? others : loginAddressRate, 'loginAddressRate'),
  }
}

/** Hashes in a table of the app's own may be read by other programs too, so they are rewritten only when asked. */
function passwordsOptions({ passwords = {} }: LatchkeyOptions, hasOwnUsers: boolean): PasswordsOptions {
  return { ...passwords, upgrade: passwords.upgrade ?? !hasOwnUsers }
}

/** Under the id that the app gave, at once, and under the one that its source has for it. */
async function narrowUser(id: UserId, { tokens, jwts, userSource }: Services, store: Store): Promise<void> {
  const forget = (userId: UserId) => {
    tokens.forgetUser(userId)
    jwts?.forgetUser(userId)
  }
  forget(id)
  await store.access.narrow(id)
  const record = userSource === store.users ? null : await userSource.findById(id)
  if (record === null || isSameUserId(record.id, id)) return
  forget(record.id)
  await store.access.narrow(record.id)
}

const VIEW = required(rule('be what apiView() returns', hasMember('handlers')))

function completeDefaults(options: LatchkeyOptions, maxBodyBytes: number): CompletePolicy {
  const [first, ...rest] = options.renderers ?? [jsonRenderer(), browsableRenderer()]
  if (first === undefined) throw new TypeError('renderers: name at least one')
  return Object.freeze({
    authentication: composeAuthenticators(options.authentication ?? [tokenAuthentication()]),
    permissions: Object.freeze([...(options.permissions ?? [isAuthenticated])]),
    throttles: Object.freeze([...(options.throttles ?? [])]),
    parsers: Object.freeze([...(options.parsers ?? [jsonParser(), formParser(), multipartParser()])]),
    renderers: [first, ...rest] as const,
    maxBodyBytes,
  })
}

function renderersOf(
  own: readonly Renderer[] | undefined,
  defaults: CompletePolicy,
): CompletePolicy['renderers'] {
  const [first, ...rest] = own ?? defaults.renderers
  if (first === undefined) throw new TypeError('renderers: name at least one')
  return [first, ...rest]
}

/** In production only: tests and examples may have secrets that can be read. A source that is asked later is not. */
function warnOfWeakSecret(source: SecretSource): void {
  if (process.env.NODE_ENV !== 'production' || typeof source === 'function') return
  const weakness = [source]
    .flat()
    .map(secretWeakness)
    .find((one) => one !== null)
  if (weakness === undefined) return
  process.emitWarning(`createLatchkey: the secret can be guessed: ${weakness}`, {
    code: 'LATCHKEY_WEAK_SECRET',
    detail: 'Take 32 random bytes, for example what `latchkey secret generate` prints.',
  })
}

/** One entry for the log: the path, and the internal detail; never headers, bodies or secrets. */
function logError(
  error: unknown,
  { method, path }: { readonly method: string; readonly path: string },
): void {
  const where = printable(`${method.slice(0, 20)} ${path.slice(0, 200)}`)
  const what = isLatchkeyError(error) ? `${error.code}: ${error.message}` : stackOf(error)
  console.error(`latchkey: ${where}: ${printableLines(what)}`)
}

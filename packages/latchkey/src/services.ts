/** The services that authenticators, endpoints and commands call: where every rule lives. Assembled by `latchkey.ts`. */

import type { TrustedProxies } from './client-address.js'
import type { Clock } from './clock.js'
import type { JwtService } from './jwt/jwt-service.js'
import type { SigningKeys } from './jwt/signing-keys.js'
import type { ProxyWarnings } from './proxy-warnings.js'
import type { Sealer } from './sealing/sealer.js'
import type { SessionService } from './sessions/session-service.js'
import type { CounterStore, UserSource } from './stores/store.js'
import type { ThrottleCounters } from './throttles/throttle-counters.js'
import type { TokenService } from './tokens/token-service.js'
import type { LoginService } from './users/login-service.js'

export interface Services {
  readonly tokens: TokenService
  readonly login: LoginService
  readonly sessions: SessionService
  /** null where `createLatchkey` was not given `jwt`. */
  readonly jwts: JwtService | null
  /** Those that sign JWTs where `jwt.keys` is `'store'`. */
  readonly signingKeys: SigningKeys
  /** Which keys seal the records of the store. */
  readonly sealing: Sealer
  readonly userSource: UserSource
  /** Where failed logins and throttles are counted. */
  readonly counters: CounterStore
  /** What the throttles of routes ask: `counters`, once per interval. */
  readonly throttles: ThrottleCounters
  readonly clock: Clock
  readonly isTrustedProxy: TrustedProxies
  /** Tells the operator once of each mistake about proxies. */
  readonly proxyWarnings: ProxyWarnings
}

/** The store that keeps everything in this process: for tests, examples and throw-away servers. Implements store.ts. */
import { BOOLEAN, checkOptions } from '../options.js'
import { accessStore } from './memory/access.js'
import { counterStore } from './memory/counters.js'
import { jwtStore } from './memory/jwts.js'
import { keyStore } from './memory/keys.js'
import { loginAddressStore } from './memory/login-addresses.js'
import { sealingKeyStore } from './memory/sealing-keys.js'
import { sessionStore } from './memory/sessions.js'
import { refuseClosed, type Tables } from './memory/tables.js'
import { tokenStore } from './memory/tokens.js'
import { userStore } from './memory/users.js'
import type { Store } from './store.js'

export interface MemoryStoreOptions {
  /** True: users live in the app's own table, so any user id is taken for an existing user's. Default: false. */
  readonly externalUsers?: boolean
}

/**
 * A store in memory. Nothing survives the process and no other process sees it; every other promise of the store
 * contract holds, because each change is made without giving up the event loop.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  checkOptions('memoryStore', options, { externalUsers: BOOLEAN })
  const tables: Tables = {
    closed: false,
    externalUsers: options.externalUsers ?? false,
    users: new Map(),
    tokens: new Map(),
    digests: new Map(),
    owned: new Map(),
    uses: new Map(),
    sessions: new Map(),
    loginAddresses: new Map(),
    accessVersions: new Map(),
    commonAccessVersion: 0,
    listeners: new Set(),
  }
  return {
    users: userStore(tables),
    tokens: tokenStore(tables),
    sessions: sessionStore(tables),
    loginAddresses: loginAddressStore(tables),
    jwts: jwtStore(tables),
    keys: keyStore(tables),
    sealingKeys: sealingKeyStore(tables),
    counters: counterStore(tables),
    access: accessStore(tables),
    changes: {
      subscribe(listener) {
        tables.listeners.add(listener)
        return () => void tables.listeners.delete(listener)
      },
      catchUp: () => refuseClosed(tables),
    },
    async close() {
      tables.closed = true
    },
  }
}

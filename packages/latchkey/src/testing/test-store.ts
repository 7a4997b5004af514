/** The contract of stores/store.ts as tests, for the author of any store. Part of `latchkey/testing`. */
import type { Store } from '../stores/store.js'
import { accessContract } from './store-contract/access.js'
import { changesContract } from './store-contract/changes.js'
import { countersContract } from './store-contract/counters.js'
import { jwtsContract } from './store-contract/jwts.js'
import { keysContract } from './store-contract/keys.js'
import { loginAddressesContract } from './store-contract/login-addresses.js'
import { sealingKeysContract } from './store-contract/sealing-keys.js'
import { sessionsContract } from './store-contract/sessions.js'
import type { Promised } from './store-contract/support.js'
import { tokenRotationContract } from './store-contract/token-rotation.js'
import { tokensContract } from './store-contract/tokens.js'
import { userImportContract } from './store-contract/user-import.js'
import { usersContract } from './store-contract/users.js'
import { wholeContract } from './store-contract/whole.js'

/** The two functions that the suite needs: `{ describe, it }` of vitest, jest or node:test. */
export interface TestFramework {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** Sentences about one member of the store, in the order in which a reader of store.ts meets them. */
const CONTRACTS: ReadonlyArray<readonly [part: string, contract: (promised: Promised) => void]> = [
  ['as a whole', wholeContract],
  ['users', usersContract],
  ['users that are imported', userImportContract],
  ['tokens', tokensContract],
  ['tokens that change and are used', tokenRotationContract],
  ['sessions', sessionsContract],
  ['login addresses', loginAddressesContract],
  ['jwts', jwtsContract],
  ['keys', keysContract],
  ['sealing keys', sealingKeysContract],
  ['counters', countersContract],
  ['access', accessContract],
  ['changes', changesContract],
]

/**
 * Registers tests that hold a store against every sentence of the store contract.
 *
 * `open` makes a new, empty store that keeps its own users; it is called once per test, and the store is closed
 * after it. Durability and other processes are beyond a suite that cannot crash the machine: test those beside it.
 */
export function testStore(
  name: string,
  open: () => Promise<Store> | Store,
  { describe, it }: TestFramework,
): void {
  describe(`${name} keeps the store contract`, () => {
    for (const [part, contract] of CONTRACTS) {
      describe(part, () =>
        contract((promise, body) => {
          it(promise, async () => {
            const store = await open()
            try {
              await body(store)
            } finally {
              await store.close()
            }
          })
        }),
      )
    }
  })
}

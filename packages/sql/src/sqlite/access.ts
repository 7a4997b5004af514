/** Access versions on SQLite: how often the access of each user was narrowed. */
import type { AccessBasis, AccessStore, UserId } from 'latchkey'
import { accessKey } from '../rows.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'

/** '*' is added to everybody's. */
const VERSION = `SELECT coalesce(sum(version), 0) AS version FROM access_versions WHERE user_key IN (?, '*')`
const NARROW = `INSERT INTO access_versions (user_key, version) VALUES (?, 1)
  ON CONFLICT (user_key) DO UPDATE SET version = version + 1`

/** Its methods are synchronous: callers hold the write lock. Changes of users are counted by triggers. */
export class Access {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  version(userId: UserId): number {
    const [row] = this.#connection.all<{ version: number }>(VERSION, accessKey(userId))
    return row?.version ?? 0
  }

  /** False: access was narrowed since the basis was taken. */
  holds(basis: AccessBasis | undefined): boolean {
    return basis === undefined || this.version(basis.userId) === basis.version
  }

  narrow(userId: UserId): void {
    this.#connection.run({ sql: NARROW, parameters: [accessKey(userId)] })
  }

  narrowEverybody(): void {
    this.#connection.run({ sql: NARROW, parameters: ['*'] })
  }
}

export function accessStore(connection: Connection, access: Access, changes: Changes): AccessStore {
  return {
    version: connection.method((userId) => access.version(userId)),
    narrow: connection.method((userId) => {
      access.narrow(userId)
      changes.publish({ kind: 'user', userId })
    }),
  }
}

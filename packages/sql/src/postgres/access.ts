/** Access versions on PostgreSQL: how often the access of each user was narrowed. */
import { sql } from 'kysely'
import type { AccessBasis, AccessStore, UserId } from 'latchkey'
import { accessKey } from '../rows.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { queriesOf } from './queries.js'
import type { Runner } from './statements.js'

/**
 * What is created on a basis, and what narrows access, is done one after the other: both lock the user's row, the first
 * for share. The lock is taken before any of the user's other rows, by both, so that they never wait in a circle.
 */
export class Access {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Makes the row where there is none: `hold` then has one to lock. */
  async version(userId: UserId): Promise<number> {
    const user_key = accessKey(userId)
    const query = this.#versions.select('version').where('user_key', '=', user_key)
    const [row] = await this.#connection.query(query.compile())
    if (row !== undefined) return row.version
    const insert = this.#kysely.insertInto('access_versions').values({ user_key, version: 0 })
    await this.#connection.run(insert.onConflict((conflict) => conflict.doNothing()).compile())
    // Where another one made it meanwhile, with another version, nothing is created on this basis.
    return 0
  }

  /** False: access was narrowed since the basis was taken. True: nothing narrows it until the transaction ends. */
  async hold(basis: AccessBasis | undefined, transaction: Runner): Promise<boolean> {
    if (basis === undefined) return true
    const held = this.#versions
      .select('user_key')
      .where('user_key', '=', accessKey(basis.userId))
      .where('version', '=', basis.version)
      .forShare()
    return (await this.#connection.query(held.compile(), transaction)).length > 0
  }

  async narrow(userId: UserId, transaction?: Runner): Promise<void> {
    const insert = this.#kysely
      .insertInto('access_versions')
      .values({ user_key: accessKey(userId), version: 1 })
    const grown = insert.onConflict((conflict) =>
      conflict.column('user_key').doUpdateSet({ version: sql`access_versions.version + 1` }),
    )
    await this.#connection.run(grown.compile(), transaction)
  }

  /** Everybody for whom something can be in progress has a row; none is made while the table is locked. */
  async narrowEverybody(transaction: Runner): Promise<void> {
    const table = `"${this.#connection.options.schema}".access_versions`
    await this.#connection.all({ sql: `LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE` }, transaction)
    await this.#connection.all({ sql: `UPDATE ${table} SET version = version + 1` }, transaction)
  }

  get #kysely() {
    return queriesOf(this.#connection.options.schema)
  }

  get #versions() {
    return this.#kysely.selectFrom('access_versions')
  }
}

export function accessStore(connection: Connection, access: Access, changes: Changes): AccessStore {
  return {
    version: connection.method((userId) => access.version(userId)),
    narrow: connection.method(async (userId) => {
      const { xid } = await connection.transaction((transaction) => access.narrow(userId, transaction))
      changes.publish(xid, [{ kind: 'user', userId }])
    }),
  }
}

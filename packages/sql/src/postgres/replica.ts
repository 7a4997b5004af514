/** A read replica for cold look-ups, asked only while it knows all that this node knows; else the primary is. */
import type { Database } from './database.js'
import type { PostgresClient } from './pool.js'
import type { Statement } from './statements.js'

/** A replica that failed, or is behind, is left alone for so long. */
const FAILED_MS = 15_000
const BEHIND_MS = 50

const IS_FAR_ENOUGH = 'SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::pg_lsn AS is_far_enough'

/**
 * Why a stale answer keeps the bound. A replica may be any time behind, so its answer counts only where its log has been
 * replayed past the newest change that this node has heard of, and while the node's lease lasts: then it lacks at most
 * what the node has not heard of yet either, which is what the lease bounds. What it answers before that change is heard
 * is dropped with everything else that the change names.
 *
 * The position is asked first and the look-up second, each with a snapshot of its own: asked together, the position
 * could be newer than the snapshot. A connection stays with one server and a log is only ever replayed on, so what was
 * found once of a connection stays true until more is required.
 */
export class Replica {
  readonly #database: Database
  readonly #requiredLsn: () => string | null
  readonly #reached = new WeakMap<PostgresClient, string>()
  #pausedUntilMs = Number.NEGATIVE_INFINITY

  constructor(database: Database, requiredLsn: () => string | null) {
    this.#database = database
    this.#requiredLsn = requiredLsn
  }

  /** The rows, or null when the primary has to be asked. Never rejects. */
  async find<Row>(statement: Statement): Promise<readonly Row[] | null> {
    const lsn = this.#requiredLsn()
    if (lsn === null || performance.now() < this.#pausedUntilMs) return null
    try {
      return await this.#database.use(async (client) => {
        if (this.#reached.get(client) !== lsn) {
          const position: Statement = { sql: IS_FAR_ENOUGH, parameters: [lsn] }
          const { rows } = await this.#database.runOn<{ is_far_enough: number | null }>(client, position)
          if (rows[0]?.is_far_enough !== 1) return this.#pause(BEHIND_MS)
          this.#reached.set(client, lsn)
        }
        return (await this.#database.runOn<Row>(client, statement)).rows
      })
    } catch {
      return this.#pause(FAILED_MS)
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  #pause(ms: number): null {
    this.#pausedUntilMs = performance.now() + ms
    return null
  }
}

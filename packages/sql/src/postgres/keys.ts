/** Signing keys on PostgreSQL. */
import type { KeyRetirement, SigningKeyStore } from 'latchkey'
import { keyColumns, keyOf, msOf } from '../rows.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { queriesOf, XID } from './queries.js'

/** Which keys sign is decided by one transaction at a time. */
const LOCK = { lock: 'signing keys' }

export function keyStore(connection: Connection, changes: Changes): SigningKeyStore {
  const kysely = queriesOf(connection.options.schema)
  const keys = kysely.selectFrom('signing_keys').selectAll()
  const update = kysely.updateTable('signing_keys')
  const tell = (xid: string | null) => changes.publish(xid, [{ kind: 'keys' }])

  return {
    insert: connection.method(async (key, predecessorsRetireAt) => {
      const { result, xid } = await connection.transaction(async (transaction) => {
        const query = kysely.insertInto('signing_keys').values(keyColumns(key))
        const isTaken = query.onConflict((conflict) => conflict.column('kid').doNothing())
        if ((await connection.run(isTaken.compile(), transaction)) === 0) return false
        if (predecessorsRetireAt === null) return true
        const end = update
          .set({ retires_at: msOf(predecessorsRetireAt) })
          .where('kid', '!=', key.kid)
          .where('retires_at', 'is', null)
          .where('active_from', '<=', msOf(key.activeFrom))
        await connection.run(end.compile(), transaction)
        return true
      }, LOCK)
      if (result) tell(xid)
      return result
    }),
    list: connection.method(async () => {
      const ordered = keys.orderBy('active_from').orderBy('created_at').orderBy('kid')
      return (await connection.query(ordered.compile())).map(keyOf)
    }),
    retire: connection.method(async (kid, now) => {
      const nowMs = msOf(now)
      const { result, xid } = await connection.transaction(async (transaction): Promise<KeyRetirement> => {
        const live = keys.where(({ eb, or }) =>
          or([eb('retires_at', 'is', null), eb('retires_at', '>', nowMs)]),
        )
        const found = await connection.query(live.where('kid', '=', kid).compile(), transaction)
        if (found.length === 0) return 'not_found'
        const others = keys
          .where('kid', '!=', kid)
          .where('retires_at', 'is', null)
          .where('active_from', '<=', nowMs)
        if ((await connection.query(others.compile(), transaction)).length === 0) return 'needed'
        const end = update.set({ sealed: null, retires_at: nowMs }).where('kid', '=', kid)
        await connection.run(end.compile(), transaction)
        return 'retired'
      }, LOCK)
      if (result === 'retired') tell(xid)
      return result
    }),
    reseal: connection.method(async (kid, expected, sealed) => {
      const query = update.set({ sealed }).where('kid', '=', kid).where('sealed', '=', expected)
      return (await connection.run(query.compile())) > 0
    }),
    deleteRetired: connection.method(async (now) => {
      const query = kysely.deleteFrom('signing_keys').where('retires_at', '<=', msOf(now)).returning(XID)
      const deleted = await connection.query(query.compile())
      if (deleted[0] !== undefined) tell(deleted[0].xid)
      return deleted.length
    }),
  }
}

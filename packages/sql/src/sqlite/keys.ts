/** Signing keys on SQLite. */
import type { Kysely } from 'kysely'
import type { SigningKeyStore } from 'latchkey'
import { keyColumns, keyOf, msOf } from '../rows.js'
import type { Schema } from '../schema.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'

export function keyStore(connection: Connection, kysely: Kysely<Schema>, changes: Changes): SigningKeyStore {
  const keys = kysely.selectFrom('signing_keys').selectAll()
  const update = kysely.updateTable('signing_keys')
  const tell = () => changes.publish({ kind: 'keys' })

  return {
    insert: connection.method((key, predecessorsRetireAt) => {
      const inserted = connection.immediate(() => {
        const query = kysely.insertInto('signing_keys').values(keyColumns(key))
        const count = connection.run(
          query.onConflict((conflict) => conflict.column('kid').doNothing()).compile(),
        )
        if (count === 0) return false
        if (predecessorsRetireAt === null) return true
        const end = update
          .set({ retires_at: msOf(predecessorsRetireAt) })
          .where('kid', '!=', key.kid)
          .where('retires_at', 'is', null)
        connection.run(end.where('active_from', '<=', msOf(key.activeFrom)).compile())
        return true
      })
      if (inserted) tell()
      return inserted
    }),
    list: connection.method(() => {
      const ordered = keys.orderBy('active_from').orderBy('created_at').orderBy('kid')
      return connection.query(ordered.compile()).map(keyOf)
    }),
    retire: connection.method((kid, now) => {
      const nowMs = msOf(now)
      const outcome = connection.immediate(() => {
        const live = keys.where(({ eb, or }) =>
          or([eb('retires_at', 'is', null), eb('retires_at', '>', nowMs)]),
        )
        if (connection.query(live.where('kid', '=', kid).compile()).length === 0) return 'not_found'
        const others = keys.where('kid', '!=', kid).where('retires_at', 'is', null)
        if (connection.query(others.where('active_from', '<=', nowMs).compile()).length === 0) return 'needed'
        connection.run(update.set({ sealed: null, retires_at: nowMs }).where('kid', '=', kid).compile())
        return 'retired'
      })
      if (outcome === 'retired') tell()
      return outcome
    }),
    reseal: connection.method((kid, expected, sealed) => {
      const query = update.set({ sealed }).where('kid', '=', kid).where('sealed', '=', expected)
      return connection.run(query.compile()) > 0
    }),
    deleteRetired: connection.method((now) => {
      const query = kysely.deleteFrom('signing_keys').where('retires_at', '<=', msOf(now))
      const count = connection.run(query.compile())
      if (count > 0) tell()
      return count
    }),
  }
}

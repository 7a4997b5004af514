/** The register of sealing keys on PostgreSQL. */
import type { SealingKeyStore } from 'latchkey'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'
import { queriesOf, XID } from './queries.js'
import type { Runner } from './statements.js'

/** Which keys seal is decided by one transaction at a time. */
const LOCK = { lock: 'sealing keys' }

export function sealingKeyStore(connection: Connection, changes: Changes): SealingKeyStore {
  const kysely = queriesOf(connection.options.schema)
  const tell = (xid: string | null) => changes.publish(xid, [{ kind: 'keys' }])
  const ids = async (runner?: Runner) => {
    const query = kysely.selectFrom('sealing_keys').select('key_id').orderBy('key_id')
    return (await connection.query(query.compile(), runner)).map((row) => row.key_id)
  }

  return {
    list: connection.method(() => ids()),
    admit: connection.method(async (id, held) => {
      if ((await ids()).includes(id)) return true
      const { result, xid } = await connection.transaction(async (transaction) => {
        const admitted = await ids(transaction)
        if (admitted.includes(id)) return 'present'
        if (admitted.length > 0 && !held.some((one) => admitted.includes(one))) return 'refused'
        await connection.run(kysely.insertInto('sealing_keys').values({ key_id: id }).compile(), transaction)
        return 'added'
      }, LOCK)
      if (result === 'added') tell(xid)
      return result !== 'refused'
    }),
    retain: connection.method(async (kept) => {
      const query = kysely.deleteFrom('sealing_keys').returning(XID)
      const others = kept.length === 0 ? query : query.where('key_id', 'not in', [...kept])
      const removed = await connection.query(others.compile())
      if (removed[0] !== undefined) tell(removed[0].xid)
      return removed.length
    }),
  }
}

/** The register of sealing keys on SQLite. */
import type { Kysely } from 'kysely'
import type { SealingKeyStore } from 'latchkey'
import type { Schema } from '../schema.js'
import type { Changes } from './changes.js'
import type { Connection } from './connection.js'

export function sealingKeyStore(
  connection: Connection,
  kysely: Kysely<Schema>,
  changes: Changes,
): SealingKeyStore {
  const tell = () => changes.publish({ kind: 'keys' })
  const ids = () => {
    const query = kysely.selectFrom('sealing_keys').select('key_id').orderBy('key_id')
    return connection.query(query.compile()).map((row) => row.key_id)
  }

  return {
    list: connection.method(ids),
    admit: connection.method((id, held) => {
      if (ids().includes(id)) return true
      const outcome = connection.immediate(() => {
        const admitted = ids()
        if (admitted.includes(id)) return 'present'
        if (admitted.length > 0 && !held.some((one) => admitted.includes(one))) return 'refused'
        connection.run(kysely.insertInto('sealing_keys').values({ key_id: id }).compile())
        return 'added'
      })
      if (outcome === 'added') tell()
      return outcome !== 'refused'
    }),
    retain: connection.method((kept) => {
      const query = kysely.deleteFrom('sealing_keys').where('key_id', 'not in', [...kept])
      const count = connection.run(query.compile())
      if (count > 0) tell()
      return count
    }),
  }
}

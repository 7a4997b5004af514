/** How tokens are used, on PostgreSQL: many secrets in one statement. */
import type { TokenUse } from 'latchkey'
import { msOf } from '../rows.js'
import type { Connection } from './connection.js'
import { isRowId } from './rows.js'

/**
 * Uses of tokens that are gone are left out, and none can go while this runs; the later of two times counts, with its
 * address. In the order of digests, so that two nodes that write the same ones wait for each other and not in a circle.
 * The ids are hidden from the planner, which would rather read all tokens than look up so many in every partition.
 */
const recordText = (schema: string) => `
  WITH held AS MATERIALIZED (
    SELECT id FROM "${schema}".tokens WHERE id = ANY (ARRAY(SELECT unnest($2::bigint[]))) FOR KEY SHARE
  )
  INSERT INTO "${schema}".token_uses AS known (digest, token_id, use_count, last_used_at, last_used_address)
  SELECT used.digest, held.id, used.use_count, used.last_used_at, used.last_used_address
  FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[],
      -- JSON, since an address may be null: see parameterOf.
      ARRAY(SELECT value FROM json_array_elements_text($5) WITH ORDINALITY ORDER BY ordinality))
    AS used (digest, token_id, use_count, last_used_at, last_used_address)
  JOIN held ON held.id = used.token_id
  ORDER BY used.digest
  ON CONFLICT (digest) DO UPDATE SET
    use_count = known.use_count + excluded.use_count,
    last_used_address = CASE WHEN excluded.last_used_at >= known.last_used_at
      THEN excluded.last_used_address ELSE known.last_used_address END,
    last_used_at = greatest(known.last_used_at, excluded.last_used_at)`

export async function recordUses(connection: Connection, uses: readonly TokenUse[]): Promise<void> {
  const merged = mergedUses(uses.filter(({ tokenId }) => isRowId(tokenId)))
  if (merged.length === 0) return
  await connection.all({
    sql: recordText(connection.options.schema),
    parameters: [
      merged.map(({ digest }) => digest),
      merged.map(({ tokenId }) => tokenId),
      merged.map(({ count }) => count),
      merged.map(({ lastUsedAt }) => msOf(lastUsedAt)),
      JSON.stringify(merged.map(({ lastUsedAddress }) => lastUsedAddress)),
    ],
  })
}

/** One for each secret: a statement does not update a row twice. */
function mergedUses(uses: readonly TokenUse[]): readonly TokenUse[] {
  const bySecret = new Map<string, TokenUse>()
  for (const use of uses) {
    const secret = Buffer.from(use.digest).toString('hex')
    const known = bySecret.get(secret)
    const [earlier, later] = known && known.lastUsedAt > use.lastUsedAt ? [use, known] : [known, use]
    bySecret.set(secret, { ...later, count: later.count + (earlier?.count ?? 0) })
  }
  return [...bySecret.values()]
}

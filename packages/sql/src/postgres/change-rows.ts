/** The `changes` table as it is read and pruned: the statements of `change-reader.ts`, and what its rows mean. */
import type { Change, UserId } from 'latchkey'

/** A change and the transaction that made it. */
export interface ToldChange {
  readonly xid: string
  readonly change: Change
}

export interface ChangeRow {
  readonly snapshot: string
  readonly server: string
  readonly pid: number
  readonly standby: number
  readonly lsn: string | null
  readonly xid: string | null
  readonly kind: string
  readonly digest: Uint8Array | null
  readonly key: string | null
}

/** More at once than this are told as `all`. */
export const MAX_ROWS = 10_000
/** Rows are kept this long; a reader that was away for half of it forgets everything instead. */
export const KEPT_MS = 3_600_000
export const PRUNED_AT_ONCE = 1000

/**
 * What the last snapshot did not see and this one does, exactly: rows of transactions that had not begun, and of those
 * that were under way. Snapshot and rows are of one statement, so nothing falls between two readings, in whatever
 * order transactions commit. A reading of a replica would prove nothing, hence `standby`.
 */
export const readText = (schema: string, hasReplica: boolean) => `
  SELECT pg_current_snapshot()::text AS snapshot, (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS server,
         pg_backend_pid() AS pid, pg_is_in_recovery() AS standby,
         ${hasReplica ? 'CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END' : 'NULL'} AS lsn,
         changes.xid::text AS xid, changes.kind, changes.digest, changes.key
  FROM (SELECT 1) AS once LEFT JOIN "${schema}".changes
    ON changes.xid >= pg_snapshot_xmax($1::pg_snapshot)
    OR changes.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
  ORDER BY changes.id LIMIT ${MAX_ROWS + 1}`

/** The oldest first, and only as many: whatever else happens, this holds no lock for long. */
export const pruneText = (schema: string) => `
  DELETE FROM "${schema}".changes WHERE id IN (
    SELECT id FROM (
      SELECT id, created_at FROM "${schema}".changes ORDER BY id LIMIT ${PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED
    ) AS oldest WHERE created_at < now() - interval '${KEPT_MS} milliseconds')`

/** A row that does not make sense names nothing, so everything may have changed. The one row of an empty reading is none. */
export function changeOf({ xid, kind, digest, key }: ChangeRow): ToldChange[] {
  if (xid === null) return []
  if (kind === 'token' && digest !== null) return [{ xid, change: { kind, digest } }]
  const userId = kind === 'user' ? userIdOf(key) : null
  if (userId !== null) return [{ xid, change: { kind: 'user', userId } }]
  if (kind === 'jwt' && key !== null) return [{ xid, change: { kind, jti: key } }]
  return [{ xid, change: { kind: kind === 'keys' ? 'keys' : 'all' } }]
}

function userIdOf(key: string | null): UserId | null {
  try {
    const id: unknown = JSON.parse(key ?? '')
    return typeof id === 'number' || typeof id === 'string' ? id : null
  } catch {
    return null
  }
}

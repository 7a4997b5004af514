/** Deletes what has expired, a batch at a time: no lock is held for long, and nobody's lock is waited for. */
import type { Connection } from './connection.js'

const BATCH = 1000

/** Deletes the rows that ended before a moment; returns how many. Of concurrent callers one gets each. */
export async function deleteExpiredRows(
  connection: Connection,
  table: 'sessions' | 'jwts' | 'login_addresses',
  key: 'digest' | 'jti',
  beforeMs: number,
): Promise<number> {
  const from = `"${connection.options.schema}".${table}`
  const sql = `DELETE FROM ${from} WHERE ${key} IN (
    SELECT ${key} FROM ${from} WHERE expires_at < $1 ORDER BY expires_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`
  let sum = 0
  for (;;) {
    connection.statementCount += 1
    const { count } = await connection.database.run({ sql, parameters: [beforeMs] })
    sum += count
    if (count < BATCH) return sum
  }
}

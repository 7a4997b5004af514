/** Counters on PostgreSQL: one row per allowed event, so that a window slides exactly. */
import { hash } from 'node:crypto'
import type { CounterEvents, CounterLimit, CounterNews, CounterStore } from 'latchkey'
import type { Connection } from './connection.js'

/** How far the clocks of nodes may lie apart before an old event is forgotten too early. */
const CLOCK_SLACK_MS = 60_000
const PRUNED_BY_HIT = 20
const PRUNED_BY_MERGE = 1000

/**
 * Exact, because of two hits of one key one waits for the other: an advisory lock, and then statements that see what
 * was committed while it was waited for. Rows cannot be locked instead, since the first hits of a key have none, and a
 * single statement would count in a snapshot from before its turn.
 *
 * A refusal is answered without the lock: a flood of them neither waits nor writes. An allowed hit is one more round
 * trip, with all of its statements in one message and the commit not waiting for the disk.
 */
export function counterStore(connection: Connection): CounterStore {
  const { schema } = connection.options
  const events = `"${schema}".counter_events`
  /**
   * The event that has to leave the window before there is room: the maxCount-th youngest. No row: there is room. Events
   * less than a period *after* now count as well: the clocks of nodes differ a little, and the lock is given in any order.
   */
  const inTheWay = (key: string, from: string, to: string, maxCount: string) =>
    `SELECT float8send(at) AS at FROM (
       SELECT at, sum(count) OVER (ORDER BY at DESC ROWS UNBOUNDED PRECEDING) AS total FROM ${events}
       WHERE key = ${key} AND at > ${from} AND at < ${to}
     ) AS youngest WHERE total >= ${maxCount} ORDER BY at DESC LIMIT 1`
  const lookUp = { name: `${schema}.counter`, sql: inTheWay('$1', '$2', '$3', '$4'), isLookUp: true }
  const prune = (nowMs: string, limit: number) =>
    `DELETE FROM ${events} WHERE id IN (
       SELECT id FROM ${events} WHERE ends_at < ${nowMs} - ${CLOCK_SLACK_MS} LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
  const insertText = `INSERT INTO ${events} (key, at, count, ends_at)
    SELECT * FROM unnest($1::bytea[], $2::float8[], $3::integer[], $4::float8[])`
  /** For each key the youngest moments that it takes to reach its limit, by the key's place in the batch. */
  const youngestText = `
    SELECT asked.place, float8send(known.at) AS at, known.count
    FROM unnest($1::bytea[], $2::float8[], $3::bigint[]) WITH ORDINALITY AS asked (key, period, max, place)
    CROSS JOIN LATERAL (
      SELECT at, sum(count) AS count, sum(sum(count)) OVER (ORDER BY at DESC) - sum(count) AS younger FROM ${events} AS one
      WHERE one.key = asked.key AND at > $4 - asked.period AND at < $4 + asked.period GROUP BY at
    ) AS known
    WHERE known.younger < asked.max ORDER BY asked.place, known.at`

  /** Concurrent calls for one moment each take another row: `hit` inserts one row per event. */
  const undoText = `
    WITH one AS (SELECT id, count FROM ${events} WHERE key = $1 AND at = $2 LIMIT 1 FOR UPDATE SKIP LOCKED),
      lowered AS (UPDATE ${events} SET count = count - 1 WHERE id IN (SELECT id FROM one WHERE count > 1))
    DELETE FROM ${events} WHERE id IN (SELECT id FROM one WHERE count = 1)`

  const peek = async (key: string, limit: CounterLimit, nowMs: number) => {
    const { maxCount, periodSeconds } = limit
    if (maxCount < 1) return { allowed: false, waitSeconds: periodSeconds }
    const periodMs = periodSeconds * 1000
    const parameters = [digestOf(key), nowMs - periodMs, nowMs + periodMs, maxCount]
    const [event] = await connection.all<InTheWay>({ ...lookUp, parameters })
    return { allowed: event === undefined, waitSeconds: waitSeconds(event, periodMs, nowMs) }
  }

  return {
    hit: connection.method(async (key, limit, nowMs) => {
      const early = await peek(key, limit, nowMs)
      if (!early.allowed) return early
      const periodMs = limit.periodSeconds * 1000
      const digest = `decode('${digestOf(key).toString('hex')}', 'hex')`
      const now = number(nowMs)
      const end = number(nowMs + periodMs)
      const find = inTheWay(digest, number(nowMs - periodMs), end, number(limit.maxCount))
      const answers = await connection.underLock(
        `counter ${key}`,
        `INSERT INTO ${events} (key, at, count, ends_at) SELECT ${digest}, ${now}, 1, ${end} WHERE NOT EXISTS (${find});
         ${find};
         ${prune(now, PRUNED_BY_HIT)}`,
      )
      // The last three before COMMIT.
      const [inserted, found] = answers.slice(-4)
      const [event] = (found?.rows ?? []) as readonly InTheWay[]
      return { allowed: inserted?.rowCount === 1, waitSeconds: waitSeconds(event, periodMs, nowMs) }
    }),
    peek: connection.method(peek),
    merge: connection.method(async (batch, nowMs) => {
      const { result } = await connection.transaction(
        async (transaction) => {
          const rows = batch.flatMap(rowsOf)
          const columns = [
            rows.map(({ key }) => key),
            rows.map(({ atMs }) => atMs),
            rows.map(({ count }) => count),
          ]
          const endsAtMs = rows.map(({ endMs }) => endMs)
          await connection.all({ sql: insertText, parameters: [...columns, endsAtMs] }, transaction)
          const keys = [
            batch.map(({ key }) => digestOf(key)),
            batch.map(({ limit }) => limit.periodSeconds * 1000),
          ]
          const limits = batch.map(({ limit }) => limit.maxCount)
          const known = await connection.all<Known>(
            { sql: youngestText, parameters: [...keys, limits, nowMs] },
            transaction,
          )
          await connection.all(
            { sql: prune('$1::float8', PRUNED_BY_MERGE), parameters: [nowMs] },
            transaction,
          )
          return known
        },
        // One for all keys: a lock for each of a thousand would be more than a server has.
        { isRelaxed: true, lock: 'counter batches' },
      )
      const answers: CounterEvents[][] = batch.map(() => [])
      for (const { place, at, count } of result) answers[place - 1]?.push({ atMs: numberOf(at), count })
      return answers
    }),
    undo: connection.method(async (key, atMs) => {
      await connection.all({ sql: undoText, parameters: [digestOf(key), atMs] })
    }),
    clear: connection.method(async (key) => {
      await connection.all({ sql: `DELETE FROM ${events} WHERE key = $1`, parameters: [digestOf(key)] })
    }),
  }
}

/** Times as the eight bytes of the number: as text they would be rounded by `extra_float_digits`. */
interface InTheWay {
  readonly at: Uint8Array
}

interface Known extends InTheWay {
  readonly place: number
  readonly count: number
}

function rowsOf({ key, limit, events }: CounterNews) {
  const digest = digestOf(key)
  const periodMs = limit.periodSeconds * 1000
  return events.map(({ atMs, count }) => ({ key: digest, atMs, count, endMs: atMs + periodMs }))
}

function waitSeconds(event: InTheWay | undefined, periodMs: number, nowMs: number): number {
  return event === undefined ? 0 : (numberOf(event.at) + periodMs - nowMs) / 1000
}

function numberOf({ buffer, byteOffset }: Uint8Array): number {
  return new DataView(buffer, byteOffset).getFloat64(0)
}

/** Keys are of any length, and an index row is not. */
function digestOf(key: string): Buffer {
  return Buffer.from(hash('sha256', key, 'hex'), 'hex')
}

/** For a statement without parameters. */
function number(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError('a limit or a time is not a number')
  return String(value)
}

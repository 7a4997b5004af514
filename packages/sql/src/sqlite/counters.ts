/** Counters on SQLite: one row per key and moment, so that a window slides exactly. */
import type { CounterEvents, CounterLimit, CounterNews, CounterStore } from 'latchkey'
import type { Connection } from './connection.js'

/**
 * Events less than a period *after* now count as well: the clocks of processes differ a little and the write lock is
 * given in any order. With that, the last recorded of any too many events within one period would have seen the rest.
 */
const WINDOW = `FROM counter_events WHERE key = ? AND at > ? AND at < ?`
const TOTAL = `SELECT SUM(count) AS total ${WINDOW}`
const OLDEST = `SELECT at, count ${WINDOW} ORDER BY at LIMIT ?`
const YOUNGEST = `SELECT at AS atMs, SUM(count) AS count ${WINDOW} GROUP BY at ORDER BY at DESC LIMIT ?`
const INSERT = `INSERT INTO counter_events (key, at, count, ends_at) VALUES (?, ?, ?, ?)`
const ADD = `
  UPDATE counter_events SET count = count + ?
  WHERE id = (SELECT id FROM counter_events WHERE key = ? AND at = ? LIMIT 1)`
/** Of the two at most one finds a row. */
const UNDO = [
  `DELETE FROM counter_events WHERE id = (SELECT id FROM counter_events WHERE key = ? AND at = ? AND count = 1 LIMIT 1)`,
  `UPDATE counter_events SET count = count - 1
   WHERE id = (SELECT id FROM counter_events WHERE key = ? AND at = ? AND count > 1 LIMIT 1)`,
] as const
const CLEAR = `DELETE FROM counter_events WHERE key = ?`
/** Of any key, so that keys which nobody uses any more go away too. */
const PRUNE = `DELETE FROM counter_events WHERE id IN (SELECT id FROM counter_events WHERE ends_at < ? LIMIT ?)`

/** More than one per row that is added, so that all go away. */
const PRUNED_PER_ROW = 20

/** How far the clocks of processes may lie apart before an old event is forgotten too early. */
const CLOCK_SLACK_MS = 60_000

export function counterStore(connection: Connection): CounterStore {
  const bounds = (key: string, { periodSeconds }: CounterLimit, nowMs: number) =>
    [key, nowMs - periodSeconds * 1000, nowMs + periodSeconds * 1000] as const
  const look = (key: string, limit: CounterLimit, nowMs: number) => {
    const { maxCount, periodSeconds } = limit
    if (maxCount < 1) return { allowed: false, waitSeconds: periodSeconds }
    const window = bounds(key, limit, nowMs)
    const [{ total } = { total: null }] = connection.all<{ total: number | null }>(TOTAL, ...window)
    let tooMany = (total ?? 0) - maxCount
    if (tooMany < 0) return { allowed: true, waitSeconds: 0 }
    // There is room when the maxCount-th youngest has left: the oldest, unless a lowered limit or a merge left more.
    for (const { at, count } of connection.all<{ at: number; count: number }>(
      OLDEST,
      ...window,
      tooMany + 1,
    )) {
      tooMany -= count
      if (tooMany < 0) return { allowed: false, waitSeconds: (at + periodSeconds * 1000 - nowMs) / 1000 }
    }
    // Without the write lock another process may have changed what was counted.
    return { allowed: true, waitSeconds: 0 }
  }
  const prune = (rows: number, nowMs: number) =>
    connection.run({ sql: PRUNE, parameters: [nowMs - CLOCK_SLACK_MS, rows * PRUNED_PER_ROW] })
  const record = ({ key, limit, events }: CounterNews) => {
    for (const { atMs, count } of events) {
      if (connection.run({ sql: ADD, parameters: [count, key, atMs] }) > 0) continue
      connection.run({ sql: INSERT, parameters: [key, atMs, count, atMs + limit.periodSeconds * 1000] })
    }
  }
  const youngest = ({ key, limit }: CounterNews, nowMs: number) => {
    let room = limit.maxCount
    return connection
      .all<CounterEvents>(YOUNGEST, ...bounds(key, limit, nowMs), limit.maxCount)
      .filter(({ count }) => {
        room -= count
        return room + count > 0
      })
      .reverse()
  }
  return {
    hit: connection.method((key, limit, nowMs) => {
      // A refusal writes nothing, so a flood of them does not wait for the write lock either.
      const early = look(key, limit, nowMs)
      if (!early.allowed) return early
      return connection.relaxed(() =>
        connection.immediate(() => {
          const before = look(key, limit, nowMs)
          if (!before.allowed) return before
          prune(1, nowMs)
          connection.run({ sql: INSERT, parameters: [key, nowMs, 1, nowMs + limit.periodSeconds * 1000] })
          return { allowed: true, waitSeconds: look(key, limit, nowMs).waitSeconds }
        }),
      )
    }),
    peek: connection.method(look),
    merge: connection.method((batch, nowMs) =>
      connection.relaxed(() =>
        connection.immediate(() => {
          prune(
            batch.reduce((rows, { events }) => rows + events.length, 0),
            nowMs,
          )
          for (const news of batch) record(news)
          return batch.map((news) => youngest(news, nowMs))
        }),
      ),
    ),
    undo: connection.method((key, atMs) => {
      connection.relaxed(() =>
        connection.immediate(() => UNDO.some((sql) => connection.run({ sql, parameters: [key, atMs] }) > 0)),
      )
    }),
    clear: connection.method(
      (key) => void connection.relaxed(() => connection.run({ sql: CLEAR, parameters: [key] })),
    ),
  }
}

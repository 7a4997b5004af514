/** Counters on SQLite: one row per allowed event, so that a window slides exactly. */
import type { CounterLimit, CounterStore } from 'latchkey'
import type { Connection } from './connection.js'

/**
 * The event that has to leave the window before there is room: the maxCount-th youngest. No row: there is room.
 *
 * Events less than a period *after* now count as well: the clocks of processes differ a little and the write lock is
 * given in any order. With that, the last recorded of any too many events within one period would have seen the rest.
 */
const IN_THE_WAY = `
  SELECT at FROM counter_events WHERE key = ? AND at > ? AND at < ? ORDER BY at DESC LIMIT 1 OFFSET ?`
const INSERT = `INSERT INTO counter_events (key, at, ends_at) VALUES (?, ?, ?)`
const CLEAR = `DELETE FROM counter_events WHERE key = ?`
/** Of any key, so that keys which nobody uses any more go away too; more than one per event, so that they all do. */
const PRUNE = `
  DELETE FROM counter_events WHERE id IN (SELECT id FROM counter_events WHERE ends_at < ? LIMIT 20)`

/** How far the clocks of processes may lie apart before an old event is forgotten too early. */
const CLOCK_SLACK_MS = 60_000

export function counterStore(connection: Connection): CounterStore {
  const look = (key: string, { maxCount, periodSeconds }: CounterLimit, nowMs: number) => {
    if (maxCount < 1) return { allowed: false, waitSeconds: periodSeconds }
    const periodMs = periodSeconds * 1000
    const [event] = connection.all<{ at: number }>(
      IN_THE_WAY,
      key,
      nowMs - periodMs,
      nowMs + periodMs,
      maxCount - 1,
    )
    if (!event) return { allowed: true, waitSeconds: 0 }
    return { allowed: false, waitSeconds: (event.at + periodMs - nowMs) / 1000 }
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
          connection.run({ sql: PRUNE, parameters: [nowMs - CLOCK_SLACK_MS] })
          connection.run({ sql: INSERT, parameters: [key, nowMs, nowMs + limit.periodSeconds * 1000] })
          return { allowed: true, waitSeconds: look(key, limit, nowMs).waitSeconds }
        }),
      )
    }),
    peek: connection.method(look),
    clear: connection.method(
      (key) => void connection.relaxed(() => connection.run({ sql: CLEAR, parameters: [key] })),
    ),
  }
}

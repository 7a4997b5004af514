/**
 * The settings of a PostgreSQL session that can change what a statement does. `database.ts` reads them once for each
 * connection, before its first statement, and sets those that do harm.
 *
 * Most settings of the server have no row here, because no statement depends on them: `pool.ts` reads only types whose
 * text is the same under every setting. The rows are the rest.
 */

/** What is read of a connection. */
export interface SessionState {
  /** The server process. */
  readonly pid: number
  /** Settings by name; null: this version of the server does not have it. */
  readonly [setting: string]: string | number | null
}

export interface SessionBounds {
  readonly statementTimeoutMs: number
  /** Whether only this store uses the connection. */
  readonly isOwn: boolean
}

interface SessionSetting {
  readonly name: string
  /** The expression that reads it; default: its current value. */
  readonly sql?: string
  /** The value that it needs, as SQL. */
  readonly needed: string | ((bounds: SessionBounds) => string)
  /** Whether a value can change what a statement does. */
  harms(value: string, bounds: SessionBounds): boolean
  /**
   * Set for the store's own connections whatever they have, so that a later change for the whole server, which reaches
   * open sessions, does not count.
   */
  readonly isPinned?: true
}

/** The only row that needs a right of its own to be set. */
const REPLICATION_ROLE = 'session_replication_role'

const SETTINGS: readonly SessionSetting[] = [
  // The driver reads and writes UTF-8, whatever the session says.
  { name: 'client_encoding', needed: "'UTF8'", harms: (value) => value !== 'UTF8', isPinned: true },
  {
    // Where pg_catalog is not first, a schema before it can replace functions and operators.
    name: 'search_path',
    sql: "pg_catalog.array_to_string(pg_catalog.current_schemas(true), ',')",
    needed: 'pg_catalog, pg_temp',
    harms: (schemas) => !/^(pg_temp_\d+,)?pg_catalog(,|$)/.test(schemas),
    isPinned: true,
  },
  {
    // At a higher level one of two calls fails where it would have waited for the other.
    name: 'default_transaction_isolation',
    needed: "'read committed'",
    harms: (value) => value !== 'read committed',
    isPinned: true,
  },
  {
    // A shorter bound than the option would refuse what the option allows.
    name: 'statement_timeout',
    needed: ({ statementTimeoutMs }) => String(statementTimeoutMs),
    harms: isShort,
    isPinned: true,
  },
  { name: 'lock_timeout', needed: '0', harms: isShort, isPinned: true },
  // Since version 17.
  { name: 'transaction_timeout', needed: '0', harms: isShort, isPinned: true },
  // Since version 14. How long a connection of somebody else's pool may be idle is the owner's decision.
  { name: 'idle_session_timeout', needed: '0', harms: () => false, isPinned: true },
  // A crash of the server must not undo a revocation that was acknowledged.
  { name: 'synchronous_commit', needed: 'local', harms: (value) => value === 'off' },
  // With `replica`, the triggers that write the changes for other nodes do not run.
  { name: REPLICATION_ROLE, needed: 'origin', harms: (value) => value === 'replica' },
  // With `on`, every error ends the connection.
  { name: 'exit_on_error', needed: 'off', harms: (value) => value === 'on', isPinned: true },
]

/** What to say where a setting cannot be set for lack of a right. */
export const NO_RIGHT_TO_SET =
  `${REPLICATION_ROLE} is replica for this user, so that other nodes would not learn of revocations: ` +
  'reset it for the server, the database and the user'

/** Reads the settings. Every function has its schema, and there is no operator: the search path is not known yet. */
export const SESSION_STATE = `SELECT pg_catalog.pg_backend_pid() AS pid, ${SETTINGS.map(
  ({ name, sql }) => `${sql ?? `pg_catalog.current_setting('${name}', true)`} AS ${name}`,
).join(', ')}`

/** The assignments that the session needs, for `SET` and `SET LOCAL`; none: it can be used as it is. */
export function neededSettings(state: SessionState, bounds: SessionBounds): readonly string[] {
  return SETTINGS.flatMap(({ name, needed, harms, isPinned = false }) => {
    const value = state[name]
    if (typeof value !== 'string') return []
    if (!harms(value, bounds) && !(bounds.isOwn && isPinned)) return []
    return [`${name} = ${typeof needed === 'string' ? needed : needed(bounds)}`]
  })
}

function isShort(value: string, { statementTimeoutMs }: SessionBounds): boolean {
  const ms = millisecondsOf(value)
  return ms > 0 && ms < statementTimeoutMs
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** The server writes durations in the largest unit that fits; 0 means that there is no bound. */
function millisecondsOf(duration: string): number {
  const [, count = '0', unit = 'ms'] = /^(\d+)(\w*)$/.exec(duration) ?? []
  return Number(count) * (UNITS_MS[unit || 'ms'] ?? 1)
}

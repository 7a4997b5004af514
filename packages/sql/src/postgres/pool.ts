/** The driver's pool: what is asked of one that is given, how one is made of a URL, and how values are read and written. */

/** A `Client` of `pg`, as far as it is used here. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult | readonly PostgresResult[]>
  /** Back to the pool; with true its connection is closed. */
  release(destroy?: boolean): void
  on(event: 'error' | 'end', listener: (error: Error) => void): unknown
  on(event: 'notification', listener: () => void): unknown
  /** Lets the process end while the connection is open. */
  unref?(): void
}

export interface PostgresQuery {
  readonly text: string
  name?: string
  readonly values?: unknown[]
  /** Rows as arrays of their columns; else as objects. */
  rowMode?: 'array'
  readonly types?: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

export interface PostgresResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
}

/** A `Pool` of `pg`, as far as it is used here. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly options?: {
    readonly max?: number | undefined
    readonly host?: string | undefined
    readonly port?: number | undefined
    readonly database?: string | undefined
  }
}

/** A pool, and how to end it; one that was given is its owner's to end. */
export interface OpenPool {
  readonly pool: PostgresPool
  /** Whether it gives up by itself when no connection comes in time. */
  readonly givesUp: boolean
  end(): Promise<void>
}

export interface PoolOptions {
  readonly poolSize: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly transactionPooler: boolean
}

/** Makes the pool. The driver is loaded here, so that who uses SQLite does not load it. */
export async function openPool(url: string, options: PoolOptions): Promise<OpenPool> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({
    connectionString: url,
    // One more: the change feed has its own.
    max: options.poolSize + 1,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    allowExitOnIdle: true,
    fallback_application_name: 'latchkey',
    // A pooler refuses what it does not know at the start; transactions set their own bounds anyway.
    ...(options.transactionPooler ? {} : { statement_timeout: options.statementTimeoutMs }),
  })
  return { pool, givesUp: true, end: () => pool.end() }
}

/** Where a database is, for messages: no user and no password. */
export function placeOf(database: string | PostgresPool): string {
  if (typeof database === 'string') {
    const { hostname, port, pathname, searchParams } = new URL(database)
    return `postgres://${searchParams.get('host') ?? hostname}${port && `:${port}`}${pathname}`
  }
  const { host = 'localhost', port = 5432, database: name = '' } = database.options ?? {}
  return `postgres://${host}:${port}/${name}`
}

/** PostgreSQL's `text` holds every character but one. It is written as two, behind one that nobody types. */
const ESCAPE = '\u001a'
const HAS_SPECIAL = /[\0\u001a]/

export function escapedText(text: string): string {
  if (!HAS_SPECIAL.test(text)) return text
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\0', `${ESCAPE}0`)
}

export function unescapedText(text: string): string {
  if (!text.includes(ESCAPE)) return text
  return text.replaceAll(`${ESCAPE}0`, '\0').replaceAll(`${ESCAPE}1`, ESCAPE)
}

/** By the type's number in PostgreSQL's catalogue. Flags are 0 or 1 as on SQLite, and ids and times are numbers. */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, (text) => (text === 't' ? 1 : 0)],
  // A plain Uint8Array with memory of its own: records do not hold on to the driver's buffers.
  [17, (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'))],
  ...[20, 21, 23, 701].map((oid) => [oid, Number] as const),
  [25, unescapedText],
])

const asText = (text: string) => text

/** Given with every query, so that the settings of a pool that is somebody else's do not matter. */
export const TYPES: NonNullable<PostgresQuery['types']> = {
  getTypeParser: (oid) => PARSERS.get(oid) ?? asText,
}

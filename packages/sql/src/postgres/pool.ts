/** The driver's pool: what is asked of one that is given, and how one is made of a URL. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { ClientConfig } from 'pg'
import { type PoolAddress, parsePostgresAddress, placeOf } from './address.js'
import { unavailable } from './store-error.js'

/** A `Client` of `pg`, as far as it is used here. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult | readonly PostgresResult[]>
  /** Back to the pool; with true its connection is closed. */
  release(destroy?: boolean): void
  on(event: 'error' | 'end', listener: (error: Error) => void): unknown
  on(event: 'notification', listener: () => void): unknown
  /** Lets the process end while the connection is open. */
  unref?(): void
  /** The server process that the server named when it took the connection. */
  readonly processID?: number | null
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
  /** How many callers wait for a connection. */
  readonly waitingCount?: number
  readonly options?: PoolAddress & { readonly max?: number | undefined }
}

/** A pool, and how to end it; one that was given is its owner's to end. */
export interface OpenPool {
  readonly pool: PostgresPool
  /** Whether it was made here: nothing else uses its connections, and it gives up when none comes in time. */
  readonly isOwn: boolean
  end(): Promise<void>
}

export interface PoolOptions {
  readonly poolSize: number
  readonly connectTimeoutMs: number
}

/** Parameters of an address that name files, which the driver reads. */
const FILE_PARAMETERS = ['sslrootcert', 'sslcert', 'sslkey'] as const

/**
 * Makes the pool. The driver is loaded here, so that who uses SQLite does not load it. Settings are not among what a
 * connection starts with, because PgBouncer refuses most of them there: `database.ts` sets them afterwards.
 */
export async function openPool(url: string, options: PoolOptions): Promise<OpenPool> {
  await checkFiles(url)
  const { default: pg } = await import('pg')
  class Client extends pg.Client {
    constructor(config?: ClientConfig) {
      super(config)
      checkAddress(this)
    }
  }
  const pool = new pg.Pool({
    connectionString: url,
    Client,
    // One more: the change feed has its own.
    max: options.poolSize + 1,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    allowExitOnIdle: true,
    fallback_application_name: 'latchkey',
  })
  return { pool, isOwn: true, end: () => pool.end() }
}

/**
 * The driver does not say which host it means where that is an IP address, and Node would compare the certificate with
 * `localhost` instead: it would take one for that name from any address, and refuse one for the address.
 */
function checkAddress({ host, connection }: { readonly host: string; readonly connection: unknown }): void {
  const { ssl } = connection as { readonly ssl: boolean | object }
  if (ssl !== false && isIP(host) !== 0)
    Object.assign(connection as object, { ssl: { ...(ssl === true ? {} : ssl), host } })
}

/** The driver would say that there is no such file, and not what for. */
async function checkFiles(url: string): Promise<void> {
  const parameters = parsePostgresAddress(url)?.searchParams
  for (const name of FILE_PARAMETERS) {
    const path = parameters?.get(name)
    if (!path) continue
    await readFile(path).catch((cause) => {
      const detail = `the file that ${name} names cannot be read (${cause.code}): ${path}`
      throw unavailable(placeOf(url), { detail }, cause)
    })
  }
}

/**
 * The PostgreSQL that tests run on: LATCHKEY_TEST_POSTGRES_URL, else the one at 127.0.0.1:5432, else one that is started
 * here from installed binaries and goes away with the tests; else none, with one printed line, which fails where CI=true.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll } from 'vitest'
import { freePort } from '../../../tools/lib/free-port.js'
import { findPostgresPrograms, runPostgresProgram } from '../../../tools/lib/postgres-programs.mjs'
import { giveToServiceUser } from '../../../tools/lib/service-user.mjs'

export interface PostgresServer {
  /** As a superuser, to a database that is there already. */
  readonly url: string
  readonly port: number
  /** Its files; undefined where it was not started here. */
  readonly folder?: string
}

const LOCAL = 'postgres://postgres@127.0.0.1:5432/postgres'

/** The server of this test file, or null where there is none. */
export async function findPostgres(): Promise<PostgresServer | null> {
  const { LATCHKEY_TEST_POSTGRES_URL: given } = process.env
  const url = given || ((await answers(LOCAL)) ? LOCAL : null)
  if (url !== null) return { url, port: Number(new URL(url).port || 5432) }
  return canStartPostgres('PostgreSQL') ? startPostgres() : null
}

/** Whether servers can be started here; where they cannot, `what` is skipped, and in CI it fails. */
export function canStartPostgres(what: string): boolean {
  if (findPostgresPrograms() !== null) return true
  const advice = 'set LATCHKEY_TEST_POSTGRES_URL, or install PostgreSQL'
  if (process.env.CI === 'true') throw new Error(`no PostgreSQL for the tests of ${what}: ${advice}`)
  console.log(`Skipped: tests of ${what} (${advice})`)
  return false
}

/** Starts a server of its own for this test file; without a password anybody is let in. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  password?: string,
): Promise<PostgresServer> {
  const folder = newServerFolder()
  const port = await freePort()
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o644 })
  const login = password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', '--pwfile', passwordFile]
  runPostgresProgram('initdb', [
    '-D',
    join(folder, 'data'),
    '-U',
    'postgres',
    '--no-sync',
    '-E',
    'UTF8',
    ...login,
  ])
  const user = password === undefined ? 'postgres' : `postgres:${encodeURIComponent(password)}`
  const server = { url: `postgres://${user}@127.0.0.1:${port}/postgres`, port, folder }
  await startServer(server, settings)
  return server
}

/** A replica of a server that was started here; it is caught up when this resolves. */
export async function startReplica(primary: PostgresServer): Promise<PostgresServer> {
  const folder = newServerFolder()
  const port = await freePort()
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres']
  runPostgresProgram('pg_basebackup', [
    ...from,
    '-D',
    join(folder, 'data'),
    '-R',
    '-X',
    'stream',
    '-c',
    'fast',
    '--no-sync',
  ])
  const server = { url: `postgres://postgres@127.0.0.1:${port}/postgres`, port, folder }
  await startServer(server)
  return server
}

/** Starts a server that was started here before. */
export async function startServer(
  { port, folder, url }: PostgresServer,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (folder === undefined) throw new Error('not a server of ours')
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    ...settings,
  }
  const options = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`)
  const data = join(folder, 'data')
  runPostgresProgram('pg_ctl', [
    '-D',
    data,
    '-l',
    join(folder, 'log'),
    '-o',
    options.join(' '),
    '-w',
    'start',
  ])
  if (!(await answers(url))) throw new Error('the server does not answer')
}

/** Stops a server that was started here, as a crash would: its clients are not told. */
export function stopServer({ folder }: PostgresServer): void {
  if (folder === undefined) throw new Error('not a server of ours')
  runPostgresProgram('pg_ctl', ['-D', join(folder, 'data'), '-m', 'immediate', 'stop'])
}

/** A schema that no other test has, and that is dropped at the end of the file. */
export function newSchema(server: Pick<PostgresServer, 'url'>): string {
  const schema = `test_${randomBytes(8).toString('hex')}`
  schemas.push({ url: server.url, schema })
  return schema
}

const schemas: Array<{ readonly url: string; readonly schema: string }> = []

// One at a time: to drop all at once would need more locks than a server has. Those of a server that is gone are gone.
afterAll(async () => {
  for (const { url, schema } of schemas.splice(0)) {
    await query(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`).catch(() => undefined)
  }
})

/** Empties the tables of a schema and lets ids begin again: in a fifth of the time that a new schema takes. */
export async function emptySchema({ url }: Pick<PostgresServer, 'url'>, schema: string): Promise<void> {
  const tables = [
    'token_uses',
    'tokens',
    'sessions',
    'login_addresses',
    'users',
    'counter_events',
    'jwts',
    'jwt_users',
    'signing_keys',
    'sealing_keys',
    'access_versions',
  ]
  const serials = ['users', 'tokens'].map((table) => `ALTER TABLE ${schema}.${table} ALTER id RESTART`)
  const deletions = [...tables, 'changes'].map((table) => `DELETE FROM ${schema}.${table}`)
  await query(url, [...deletions, ...serials].join(';'))
}

/** What an administrator runs by hand; rows are as the driver gives them. */
export async function query<Row extends object>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Row>(sql, values)).rows
  } finally {
    await client.end()
  }
}

/** Whether a server answers at an address. */
export async function answers(url: string): Promise<boolean> {
  try {
    await query(url, 'SELECT 1')
    return true
  } catch {
    return false
  }
}

/** The text of `pg_dump` for one schema. */
export function dumpSchema({ url }: PostgresServer, schema: string): string {
  return runPostgresProgram('pg_dump', ['--schema', schema, '--dbname', url])
}

function newServerFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'))
  giveToServiceUser(folder)
  const remove = () => {
    if (!existsSync(folder)) return
    try {
      stopServer({ url: '', port: 0, folder })
    } catch {
      // It was stopped already.
    }
    rmSync(folder, { recursive: true, force: true })
  }
  afterAll(remove)
  // For a file that fails before its first test.
  process.once('exit', remove)
  return folder
}

/** Databases with up to ten million tokens, on SQLite and PostgreSQL: the real tables, filled past the library. */
import { randomBytes } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { postgres, sqlite } from '@latchkey/sql'
import pg from 'pg'
import { createTokensDatabase } from './tokens-database.mjs'

const POSTGRES_URL = process.env.LATCHKEY_TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
export const TOKENS_PER_USER = 10
export const SIZES = [10_000, 100_000, 1_000_000, 10_000_000]

/** As numbers are written in the tables: `10^4`. */
export function sizeName(tokens) {
  const power = Math.log10(tokens)
  return Number.isInteger(power) ? `10^${power}` : String(tokens)
}

/**
 * @typedef {object} ScaleDatabase
 * @property {'SQLite' | 'PostgreSQL'} engine
 * @property {number} tokens
 * @property {number} fillSeconds
 * @property {object} place what `openStore` takes, also in another process
 * @property {() => Promise<number>} bytes on disk, indexes included
 * @property {() => Promise<void>} drop
 */

/** @param {{ engine: 'SQLite', path: string } | { engine: 'PostgreSQL', url: string, schema: string }} place */
export function openStore(place, options = {}) {
  return place.engine === 'SQLite'
    ? sqlite(place.path, options)
    : postgres(place.url, { schema: place.schema, ...options })
}

/** @returns {Promise<ScaleDatabase>} */
export async function fillSqlite(folder, tokens) {
  const path = join(folder, `${tokens}.sqlite3`)
  const startedMs = performance.now()
  await createTokensDatabase(path, { tokens, users: Math.ceil(tokens / TOKENS_PER_USER) })
  const fillSeconds = (performance.now() - startedMs) / 1000
  return {
    engine: 'SQLite',
    tokens,
    fillSeconds,
    place: { engine: 'SQLite', path },
    bytes: async () => statSync(path).size,
    drop: async () => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    },
  }
}

/** Null where no PostgreSQL answers, or its user may not do this. @returns {Promise<ScaleDatabase | null>} */
export async function fillPostgres(tokens) {
  const schema = `bench_${randomBytes(4).toString('hex')}`
  const client = new pg.Client({ connectionString: POSTGRES_URL, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
  } catch {
    return null
  }
  const startedMs = performance.now()
  const store = postgres(POSTGRES_URL, { schema })
  await store.migrate()
  await store.close()
  await fill(client, schema, tokens)
  const fillSeconds = (performance.now() - startedMs) / 1000
  return {
    engine: 'PostgreSQL',
    tokens,
    fillSeconds,
    place: { engine: 'PostgreSQL', url: POSTGRES_URL, schema },
    bytes: async () => {
      const { rows } = await client.query(
        `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
         WHERE relnamespace = $1::regnamespace AND relkind = 'r'`,
        [schema],
      )
      return Number(rows[0].bytes)
    },
    drop: async () => {
      await client.query(`DROP SCHEMA "${schema}" CASCADE`)
      await client.end()
    },
  }
}

/** The server makes the rows itself, and the indexes once they are there: minutes instead of hours. */
async function fill(client, schema, tokens) {
  const users = Math.ceil(tokens / TOKENS_PER_USER)
  await client.query(
    `SET search_path = "${schema}"; SET synchronous_commit = off; SET maintenance_work_mem = '1GB'`,
  )
  await client.query(`
    INSERT INTO users (username, email, password_hash, is_active, is_staff, is_superuser, date_joined)
    SELECT 'user-' || lpad(n::text, 7, '0'), 'user-' || lpad(n::text, 7, '0') || '@example.com', '!', true, false, false,
      (extract(epoch FROM now()) * 1000)::bigint
    FROM generate_series(0, ${users - 1}) AS n`)
  const { rows: indexes } = await client.query(
    `SELECT indexname, indexdef FROM pg_indexes
     WHERE schemaname = $1 AND tablename = 'tokens' AND indexname <> 'tokens_pkey'`,
    [schema],
  )
  await client.query('ALTER TABLE tokens DISABLE TRIGGER ALL')
  for (const { indexname } of indexes) await client.query(`DROP INDEX "${indexname}"`)
  await client.query(`
    INSERT INTO tokens (policy, user_id, slot, digest, hint, sealed, name, created_at)
    SELECT 'authtoken', 1 + n % ${users}, NULL, sha256(convert_to(secret, 'UTF8')), '…' || right(secret, 4),
      decode(repeat(secret, 3), 'hex'), '', (extract(epoch FROM now()) * 1000)::bigint
    FROM generate_series(0, ${tokens - 1}) AS n,
      LATERAL (SELECT left(encode(sha256(convert_to('latchkey bench ' || n, 'UTF8')), 'hex'), 40) AS secret) AS made`)
  for (const { indexdef } of indexes) await client.query(indexdef)
  await client.query('ALTER TABLE tokens ENABLE TRIGGER ALL')
  await client.query('VACUUM (ANALYZE) tokens')
  await client.query('VACUUM (ANALYZE) users')
}

/** Settings of PostgreSQL that an administrator or an app may choose, each with the value that is worst for a client. */
import type { ClientBase } from 'pg'
import { type PostgresServer, query } from './postgres-server.js'

/** A schema before pg_catalog in the search path: what it has is taken where a name has no schema of its own. */
export const DECOYS = 'decoys'

export const HOSTILE: Readonly<Record<string, string>> = {
  // How values are written and read.
  bytea_output: 'escape',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  array_nulls: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  xmlbinary: 'hex',
  xmloption: 'document',
  lc_monetary: 'POSIX',
  lc_numeric: 'POSIX',
  client_encoding: 'LATIN1',
  // Which objects and rows are meant.
  search_path: `${DECOYS}, pg_catalog`,
  row_security: 'off',
  session_replication_role: 'replica',
  // How transactions run and end.
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  statement_timeout: '1s',
  lock_timeout: '500ms',
  idle_in_transaction_session_timeout: '1s',
  synchronous_commit: 'off',
  exit_on_error: 'on',
  // How statements are planned.
  plan_cache_mode: 'force_custom_plan',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_hashjoin: 'off',
  enable_nestloop: 'off',
  jit: 'off',
}

const assignments = Object.entries(HOSTILE).map(([name, value]) => {
  // A list of schemas is no single value.
  return [name, name === 'search_path' ? value : `'${value}'`] as const
})

/** For the parameter `options` of an address; the encoding is not among what may stand there. */
export const HOSTILE_OPTIONS = Object.entries(HOSTILE)
  .filter(([name]) => name !== 'client_encoding')
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ')

/** For every new connection of a pool. */
export function setHostile(client: ClientBase): void {
  void client.query(assignments.map(([name, value]) => `SET ${name} = ${value}`).join(';'))
}

/** `ALTER DATABASE x` or `ALTER ROLE x`: for sessions that begin after it. */
export async function alterHostile(url: string, what: string): Promise<void> {
  await query(url, assignments.map(([name, value]) => `ALTER ${what} SET ${name} = ${value}`).join(';'))
}

/** Settings of the whole server, in its configuration file; the second call takes them away. */
export async function configureHostile({ url }: PostgresServer): Promise<() => Promise<void>> {
  for (const [name, value] of assignments) await query(url, `ALTER SYSTEM SET ${name} = ${value}`)
  await query(url, 'SELECT pg_reload_conf()')
  return async () => {
    await query(url, 'ALTER SYSTEM RESET ALL')
    await query(url, 'SELECT pg_reload_conf()')
  }
}

/** Makes the schema of decoys in a database: functions, operators and tables with the names of those that are meant. */
export async function makeDecoys(url: string): Promise<void> {
  const wrong = (name: string, parameters: string, result: string, value: string) =>
    `CREATE FUNCTION ${DECOYS}.${name}(${parameters}) RETURNS ${result} LANGUAGE sql AS $$ SELECT ${value} $$`
  const operator = (type: string) => `
    ${wrong(`never_${type}`, `${type}, ${type}`, 'boolean', 'false')};
    CREATE OPERATOR ${DECOYS}.= (LEFTARG = ${type}, RIGHTARG = ${type}, FUNCTION = ${DECOYS}.never_${type})`
  const table = (name: string) => `CREATE TABLE ${DECOYS}.${name} (id integer)`
  await query(
    url,
    [
      `CREATE SCHEMA ${DECOYS}`,
      wrong('encode', 'bytea, text', 'text', "''::text"),
      wrong('decode', 'text, text', 'bytea', "''::bytea"),
      wrong('float8send', 'float8', 'bytea', "''::bytea"),
      wrong('chr', 'integer', 'text', "'?'::text"),
      wrong('pg_backend_pid', '', 'integer', '1'),
      wrong('pg_current_xact_id', '', 'xid8', "'1'::xid8"),
      wrong('pg_notify', 'text, text', 'void', 'null::void'),
      wrong('pg_advisory_xact_lock', 'bigint', 'void', 'null::void'),
      ...['bytea', 'bigint', 'text'].map(operator),
      ...['users', 'tokens', 'token_uses', 'sessions', 'jwts', 'changes', 'latchkey_migrations'].map(table),
      `GRANT USAGE ON SCHEMA ${DECOYS} TO PUBLIC`,
    ].join(';'),
  )
}

/** Rewrites the tables that hold sealed bytes and hashes. `latchkey secret rotate --vacuum-full` calls it. */
import type { EraseResult } from '../erase.js'
import type { Database } from './database.js'
import { vacuum } from './vacuum.js'

/** Rows that were replaced stay in the file of their table until it is rewritten. */
const TABLES = ['tokens', 'signing_keys', 'users', 'sessions']

/**
 * `VACUUM (FULL)` of these tables, one by one. It copies each into a new file, and nobody else reads or writes that
 * table meanwhile. Needs the owner of the tables.
 */
export async function erase(database: Database, schema: string): Promise<EraseResult> {
  for (const table of TABLES) await vacuum(database, `VACUUM (FULL, ANALYZE) "${schema}"."${table}"`)
  return { isComplete: true, advice: null, freePages: null }
}

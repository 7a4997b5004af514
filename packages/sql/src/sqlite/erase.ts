/** Rewrites the database file, so that nothing that was deleted or replaced is left in it. `latchkey secret rotate` calls it. */
import type { EraseResult } from '../erase.js'
import type { Connection } from './connection.js'

/**
 * `secure_delete` overwrites what this version deletes. Earlier versions left it in free pages and in the gaps of
 * others: VACUUM writes every page anew, and the checkpoint copies them over the old ones and empties the WAL. Both
 * can be interrupted at any moment, and repeated.
 */
export function erase({ database }: Connection): EraseResult {
  const freePages = Number(database.pragma('freelist_count', { simple: true }))
  database.exec('VACUUM')
  const [checkpoint] = database.pragma('wal_checkpoint(TRUNCATE)') as readonly { readonly busy: number }[]
  const isComplete = checkpoint?.busy === 0
  return {
    isComplete,
    freePages,
    advice: isComplete
      ? null
      : 'another process reads the database, so older pages are still in its files: stop it, and do this again',
  }
}

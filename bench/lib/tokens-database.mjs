/** A database with any number of tokens in seconds: the real tables, filled past the library. */
import { hash } from 'node:crypto'
import { sqlite } from '@latchkey/sql'
import Database from 'better-sqlite3'

/** What the server seals tokens with, of the benchmark's own databases only. */
export const SERVER_SECRET = 'secret of the benchmarks, known to everybody'

/** The secret of the token number `index`, from 0: shaped as DRF's, 40 hex digits. PostgreSQL can make it as well. */
export function secretAt(index) {
  return hash('sha256', `latchkey bench ${index}`, 'buffer').toString('hex', 0, 20)
}

export function digestOf(secret) {
  return hash('sha256', secret, 'buffer')
}

/** What authenticates the first so many tokens: `[{ authorization: 'Token …' }, …]`. */
export function tokenHeaders(keyword, tokens) {
  return Array.from({ length: tokens }, (_, index) => ({ authorization: `${keyword} ${secretAt(index)}` }))
}

/** The name of the user number `index`, from 0; all names are equally long. */
export function usernameAt(index) {
  return `user-${String(index).padStart(7, '0')}`
}

/**
 * Creates the file. Token number `i` belongs to user number `i % users`. Nobody can log in with a password.
 *
 * Sealed secrets are random bytes of the true length: nothing measured opens them. Where a user has several tokens
 * their `slot` is null, as for policies that allow any number; look-ups by digest do not read it.
 * @param {string} path
 * @param {{ tokens: number, users: number }} sizes
 */
export async function createTokensDatabase(path, { tokens, users }) {
  const store = sqlite(path)
  await store.migrate()
  await store.close()
  const database = new Database(path)
  database.pragma('synchronous = off')
  database.pragma('cache_size = -262144')
  const insertUser = database.prepare(`
    INSERT INTO users (id, username, email, password_hash, is_active, is_staff, is_superuser, date_joined)
    VALUES (?, ?, ?, '!', 1, 0, 0, ?)`)
  const insertToken = database.prepare(`
    INSERT INTO tokens (policy, user_id, slot, digest, hint, sealed, name, created_at, expires_at)
    VALUES ('authtoken', CAST(? AS INTEGER), ?, ?, ?, randomblob(73), '', ?, NULL)`)
  const nowMs = Date.now()
  // They ask of each row whether it replaces another, and none does.
  const triggers = database
    .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('tokens', 'users')")
    .all()
  for (const { name } of triggers) database.exec(`DROP TRIGGER "${name}"`)
  database.transaction(() => {
    for (let index = 0; index < users; index += 1) {
      insertUser.run(index + 1, usernameAt(index), `${usernameAt(index)}@example.com`, nowMs)
    }
    for (let index = 0; index < tokens; index += 1) {
      const secret = secretAt(index)
      insertToken.run(
        (index % users) + 1,
        tokens > users ? null : 0,
        digestOf(secret),
        `…${secret.slice(-4)}`,
        nowMs,
      )
    }
  })()
  for (const { sql } of triggers) database.exec(sql)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}

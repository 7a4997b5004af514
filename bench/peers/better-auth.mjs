/** better-auth with its api-key plugin on a SQLite file of its own. */
import { randomBytes } from 'node:crypto'
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import Database from 'better-sqlite3'

/**
 * @typedef {object} BetterAuthOptions
 * @property {'wal' | 'delete'} [journal] SQLite's journal mode. Default is `wal`, as Latchkey sets it: in SQLite's own
 *   default, `delete`, every write waits longer for the disk
 * @property {object} [plugin] options of the plugin. Default is none
 */

/**
 * Creates the file with one user and so many keys. A key's name is the name of a user, so that a server can greet
 * without asking for one. By default a key may be used ten times a day; these have a limit that is counted and not
 * reached.
 * @param {string} path
 * @param {readonly string[]} names one for each key
 * @returns {Promise<string[]>} the keys
 */
export async function createApiKeys(path, names) {
  const { config, auth, close } = openBetterAuth(path)
  await (await getMigrations(config)).runMigrations()
  const { internalAdapter } = await auth.$context
  const user = await internalAdapter.createUser({ name: 'vitor', email: 'vitor@example.com' })
  const keys = []
  for (const name of names) {
    const { key } = await auth.api.createApiKey({ body: { userId: user.id, name, rateLimitMax: 1e9 } })
    keys.push(key)
  }
  close()
  return keys
}

/**
 * @param {string} path
 * @param {BetterAuthOptions} [options]
 */
export function openBetterAuth(path, { journal = 'wal', plugin = {} } = {}) {
  const database = new Database(path)
  database.pragma(`journal_mode = ${journal}`)
  const config = {
    database,
    secret: randomBytes(32).toString('base64'),
    baseURL: 'http://127.0.0.1',
    plugins: [apiKey(plugin)],
    telemetry: { enabled: false },
    logger: { level: 'error' },
  }
  const auth = betterAuth(config)
  return { config, auth, verify: (key) => verifyKey(auth, key), close: () => database.close() }
}

/** What the plugin says of a good key. @throws Error for every other key */
async function verifyKey(auth, key) {
  const { valid, error, key: found } = await auth.api.verifyApiKey({ body: { key } })
  if (!valid) throw new Error(`better-auth: ${error?.code}`)
  return found
}

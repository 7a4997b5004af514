/** A Latchkey on SQLite that has verified each of its tokens once: what the hot rows start from. */
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Database from 'better-sqlite3'
import { createLatchkey } from 'latchkey'
import { seededPicks } from './numbers.mjs'
import { createTokensDatabase, SERVER_SECRET, secretAt } from './tokens-database.mjs'

const TOKENS = 10_000

/** Everything by default but the secret. @param {string} folder */
export async function hotTokens(folder) {
  const path = join(folder, 'hot.sqlite3')
  await createTokensDatabase(path, { tokens: TOKENS, users: TOKENS })
  const secrets = Array.from({ length: TOKENS }, (_, index) => secretAt(index))
  const pick = seededPicks(1, TOKENS)
  return { path, secrets, nextSecret: () => secrets[pick()], ...(await open(path, secrets)) }
}

async function open(path, secrets) {
  const store = sqlite(path)
  const latchkey = createLatchkey({ store, secret: SERVER_SECRET })
  for (const secret of secrets) await latchkey.tokens.verify(secret)
  return { store, latchkey }
}

/** A hot answer is not a promise. @throws Error when it is one: then this would measure something else */
export function expectHot(answer) {
  if (answer instanceof Promise) throw new Error('the token is not hot')
  return answer
}

/**
 * How often a run of hot verifications asked SQLite for `PRAGMA data_version`, which `statementCount` leaves out.
 * Counted in the driver, on a Latchkey of its own: counting slows down.
 * @returns {Promise<{ looks: number, otherStatements: number }>}
 */
export async function countDriverCalls({ path, secrets }, verifications) {
  const count = { looks: 0, otherStatements: 0 }
  const { prepare } = Database.prototype
  Database.prototype.prepare = function (sql) {
    const statement = prepare.call(this, sql)
    const kind = sql === 'PRAGMA data_version' ? 'looks' : 'otherStatements'
    for (const method of ['get', 'all', 'run'].filter((name) => name !== 'all' || statement.reader)) {
      const execute = statement[method]
      statement[method] = function (...parameters) {
        count[kind] += 1
        return execute.apply(this, parameters)
      }
    }
    return statement
  }
  try {
    const { latchkey } = await open(path, secrets)
    if (count.looks === 0 || count.otherStatements < secrets.length)
      throw new Error('the driver was not counted')
    count.looks = 0
    count.otherStatements = 0
    for (let index = 0; index < verifications; index += 1) {
      expectHot(latchkey.tokens.verify(secrets[(index * 7919) % secrets.length]))
    }
    const counted = { ...count }
    await latchkey.close()
    return counted
  } finally {
    Database.prototype.prepare = prepare
  }
}

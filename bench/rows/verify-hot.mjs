/** A token that was seen lately: `tokens.verify` in process against one SHA-256. */
import { hash } from 'node:crypto'
import Database from 'better-sqlite3'
import { countDriverCalls, expectHot, hotTokens } from '../lib/hot-tokens.mjs'
import { median, seededPicks } from '../lib/numbers.mjs'
import { calls, lonelyCalls, takeTurns } from '../lib/timing.mjs'

const CALLS_PER_BATCH = 100
const COUNTED = 1_000_000

/** @type {import('../lib/row.mjs').Row} */
export const verifyHot = {
  name: 'verify-hot',
  title: 'verify one of 10,000 opaque tokens that were seen lately, in process, SQLite behind',
  unit: 'µs',
  limit: 'one SHA-256 of the secret',
  comparison: { series: ['latchkey.tokens.verify'], atMost: 1.02 },
  goals: [
    { of: 'medianUs', says: 'median', unit: 'µs', atMost: 2 },
    { of: 'statements', says: 'SQL statements of all calls together', unit: '', atMost: 0 },
  ],
  async run({ rounds, folder }) {
    const hot = await hotTokens(folder)
    const { latchkey, store, secrets, nextSecret } = hot
    const verify = (secret) => expectHot(latchkey.tokens.verify(secret))
    const sha256 = (secret) => hash('sha256', secret, 'base64')
    const keys = secrets.map(sha256)
    const records = new Map(keys.map((key) => [key, { key }]))
    const pick = seededPicks(2, keys.length)
    const database = new Database(hot.path)
    const look = database.prepare('PRAGMA data_version').pluck()

    const before = store.statementCount
    const batched = (name, next, call) => ({ name, turn: calls(CALLS_PER_BATCH, next, call) })
    const alone = (name, call) => ({ name, batches: 20_000, turn: lonelyCalls(nextSecret, call) })
    const series = await takeTurns({
      rounds,
      batchesPerTurn: 3000,
      contenders: [
        batched('latchkey.tokens.verify', nextSecret, verify),
        batched('limit: SHA-256', nextSecret, sha256),
        batched('limit: SHA-256, then Map.get', nextSecret, (secret) => records.get(sha256(secret))),
        batched(
          'limit: Map.get',
          () => keys[pick()],
          (key) => records.get(key),
        ),
        batched('one look at PRAGMA data_version', nextSecret, () => look.get()),
        alone('one verify in each turn of the event loop', verify),
        alone('one SHA-256 in each turn of the event loop', sha256),
      ],
    })
    const statements = store.statementCount - before
    const { looks, otherStatements } = await countDriverCalls(hot, COUNTED)
    database.close()
    await latchkey.close()
    return {
      series,
      values: {
        medianUs: median(series[0].rounds),
        statements: statements + otherStatements,
        looksPerMillionInOneTurn: looks,
      },
    }
  },
}

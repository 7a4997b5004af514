/** A token that was never seen: `tokens.verify` without its cache against one bare prepared look-up. */
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Database from 'better-sqlite3'
import { createLatchkey } from 'latchkey'
import { median, pairedRatio, seededPicks } from '../lib/numbers.mjs'
import { awaitedCalls, calls, takeTurns } from '../lib/timing.mjs'
import { createTokensDatabase, digestOf, SERVER_SECRET, secretAt } from '../lib/tokens-database.mjs'

const CALLS_PER_BATCH = 100
const BATCHES_PER_TURN = 300
const TOKENS_PER_USER = 10
/** The library's own hot statement, written again: the same row by the same join. */
const LOOK_UP = `
  SELECT tokens.*, users.* FROM tokens LEFT JOIN users ON users.id = tokens.user_id WHERE tokens.digest = ?`

/** @type {import('../lib/row.mjs').Row} */
export const verifyCold = {
  name: 'verify-cold',
  title: 'verify a random token of 1,000,000 (or --tokens) on SQLite, without the cache',
  unit: 'µs',
  limit: 'one bare prepared look-up of the same row, its digest at hand',
  goals: [
    { of: 'timesBare', says: 'times one bare look-up', unit: '×', atMost: 3 },
    { of: 'fewestStatements', says: 'SQL statements per verify, fewest', unit: '', atLeast: 1 },
    { of: 'mostStatements', says: 'SQL statements per verify, most', unit: '', atMost: 1 },
  ],
  async run({ rounds, tokens, folder }) {
    const path = join(folder, 'cold.sqlite3')
    const startedMs = performance.now()
    await createTokensDatabase(path, { tokens, users: Math.ceil(tokens / TOKENS_PER_USER) })
    const fillSeconds = (performance.now() - startedMs) / 1000

    const store = sqlite(path)
    const latchkey = createLatchkey({ store, secret: SERVER_SECRET, cacheEntries: 0 })
    const database = new Database(path)
    const bare = database.prepare(LOOK_UP)
    const byTable = database.prepare(LOOK_UP).expand()
    const secrets = randomSecrets(1, tokens)
    const digests = randomDigests(2, tokens)
    const expandedDigests = randomDigests(3, tokens)
    const storeDigests = randomDigests(4, tokens)

    const series = await takeTurns({
      rounds,
      batchesPerTurn: BATCHES_PER_TURN,
      contenders: [
        {
          name: 'latchkey.tokens.verify',
          turn: awaitedCalls(CALLS_PER_BATCH, secrets, (secret) => latchkey.tokens.verify(secret)),
        },
        {
          name: 'limit: bare look-up',
          turn: calls(CALLS_PER_BATCH, digests, (digest) => found(bare.get(digest))),
        },
        {
          name: 'bare look-up, columns kept apart by table',
          turn: calls(CALLS_PER_BATCH, expandedDigests, (digest) => found(byTable.get(digest))),
        },
        {
          name: 'store.tokens.findByDigest',
          turn: awaitedCalls(CALLS_PER_BATCH, storeDigests, (digest) => store.tokens.findByDigest(digest)),
        },
      ],
    })
    const counts = await statementCounts(store, latchkey, secrets)
    database.close()
    await latchkey.close()
    const [ours, limit] = series
    return {
      series,
      values: {
        timesBare: pairedRatio(ours.rounds, limit.rounds),
        fewestStatements: Math.min(...counts),
        mostStatements: Math.max(...counts),
        medianUs: median(ours.rounds),
        tokens,
        fillSeconds,
      },
    }
  },
}

/** Counted one by one, apart from the timing. */
async function statementCounts(store, latchkey, nextSecret) {
  const counts = []
  for (let index = 0; index < 1000; index += 1) {
    const before = store.statementCount
    await latchkey.tokens.verify(nextSecret())
    counts.push(store.statementCount - before)
  }
  return counts
}

function randomSecrets(seed, tokens) {
  const pick = seededPicks(seed, tokens)
  return () => secretAt(pick())
}

/** Contenders draw from different sequences: the row that one has just read would be warm for the next. */
function randomDigests(seed, tokens) {
  const next = randomSecrets(seed, tokens)
  return () => digestOf(next())
}

function found(row) {
  if (row === undefined) throw new Error('a token of the database was not found')
  return row
}

/** JWT pairs issued and refreshed on SQLite, one after the other, against the bare commit that each of them waits for. */
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Database from 'better-sqlite3'
import { createLatchkey } from 'latchkey'
import { jwtOptions, newJwtKey } from '../lib/jwt-tokens.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { createTokensDatabase, SERVER_SECRET } from '../lib/tokens-database.mjs'

const USERS = 100
const OPERATIONS_PER_TURN = 1000

/** @type {import('../lib/row.mjs').Row} */
export const jwtPair = {
  name: 'jwt-pair',
  title: 'issue a JWT pair, and refresh one with rotation and blacklist, on SQLite, HS256',
  unit: 'per s',
  limit: 'one row inserted and committed by better-sqlite3 in a database of the same settings',
  goals: [],
  async run({ rounds, folder }) {
    const path = join(folder, 'pairs.sqlite3')
    await createTokensDatabase(path, { tokens: 0, users: USERS })
    const store = sqlite(path)
    const latchkey = createLatchkey({
      store,
      secret: SERVER_SECRET,
      jwt: { ...jwtOptions(newJwtKey('HS256')), rotateRefresh: true, blacklistAfterRotation: true },
    })
    const { jwts } = latchkey
    const users = await latchkey.users.list({ limit: USERS })
    let issued = []
    const issue = async (index) => {
      issued[index] = (await jwts.issuePair(users[index % USERS])).refresh
    }
    const refresh = async (index) => {
      issued[index] = (await jwts.refresh(issued[index])).refresh
    }
    const bare = bareCommits(join(folder, 'bare.sqlite3'))

    const rates = { issue: [], refresh: [], commit: [] }
    const statements = { issue: 0, refresh: 0 }
    for (let round = -1; round < rounds; round += 1) {
      issued = []
      const before = store.statementCount
      const issueRate = await rateOf(issue)
      const between = store.statementCount
      const refreshRate = await rateOf(refresh)
      statements.issue = (between - before) / OPERATIONS_PER_TURN
      statements.refresh = (store.statementCount - between) / OPERATIONS_PER_TURN
      const commitRate = await rateOf(bare.commit)
      if (round < 0) continue
      rates.issue.push(issueRate)
      rates.refresh.push(refreshRate)
      rates.commit.push(commitRate)
    }
    bare.close()
    await latchkey.close()
    return {
      series: [
        { name: 'jwts.issuePair', rounds: rates.issue },
        { name: 'jwts.refresh, rotated and blacklisted', rounds: rates.refresh },
        { name: 'limit: one bare commit', rounds: rates.commit },
      ],
      values: {
        issuesPerSecond: median(rates.issue),
        refreshesPerSecond: median(rates.refresh),
        issueTimesCommit: pairedRatio(rates.commit, rates.issue),
        refreshTimesCommit: pairedRatio(rates.commit, rates.refresh),
        statementsPerIssue: statements.issue,
        statementsPerRefresh: statements.refresh,
      },
    }
  },
}

async function rateOf(operation) {
  const startedMs = performance.now()
  for (let index = 0; index < OPERATIONS_PER_TURN; index += 1) await operation(index)
  return OPERATIONS_PER_TURN / ((performance.now() - startedMs) / 1000)
}

/** As the store opens its files: write-ahead log, and every commit waits until the disk has it. */
function bareCommits(path) {
  const database = new Database(path)
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = full')
  database.exec('CREATE TABLE record (id INTEGER PRIMARY KEY, jti TEXT NOT NULL UNIQUE, at INTEGER NOT NULL)')
  const insert = database.prepare('INSERT INTO record (jti, at) VALUES (?, ?)')
  let count = 0
  return {
    commit: () => {
      count += 1
      insert.run(`jti ${count}`.padEnd(32, '.'), Date.now())
    },
    close: () => database.close(),
  }
}

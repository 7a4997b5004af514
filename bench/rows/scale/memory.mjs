/** What a verified token costs in memory: the heap of a process before and after it has verified very many. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nextMessage } from '../../lib/child.mjs'
import { median } from '../../lib/numbers.mjs'
import { createTokensDatabase } from '../../lib/tokens-database.mjs'

const ENTRIES = 500_000
/** Kind -> tokens of one user. */
const KINDS = { 'a user for each token': 1, 'ten tokens of each user': 10 }
const PROCESS = fileURLToPath(new URL('./memory-process.mjs', import.meta.url))

/** @type {import('../../lib/row.mjs').Row} */
export const memory = {
  name: 'scale-memory',
  group: 'scale',
  title: `memory of one verified token in the cache, ${ENTRIES.toLocaleString('en')} of them, SQLite behind`,
  unit: 'bytes',
  limit: 'a Map from the digest as text to the row number, which tells nothing',
  goals: [
    { of: 'mostBytes', says: 'per entry, of the kind that takes most', unit: 'bytes', atMost: 400 },
    { of: 'heldBeyondBound', says: 'entries beyond the bound of the setting', unit: '', atMost: 0 },
  ],
  async run({ rounds, folder }) {
    // Weights hardly differ from one process to the next.
    const times = Math.min(rounds, 5)
    const series = []
    for (const [name, tokensPerUser] of Object.entries(KINDS)) {
      const path = join(folder, `${tokensPerUser}.sqlite3`)
      await createTokensDatabase(path, { tokens: ENTRIES, users: ENTRIES / tokensPerUser })
      series.push({ name, rounds: await repeat(times, { path, entries: ENTRIES, what: 'cache' }) })
    }
    const path = join(folder, '1.sqlite3')
    series.push({
      name: 'limit: a Map',
      rounds: await repeat(times, { path, entries: ENTRIES, what: 'map' }),
    })
    const bounded = await repeat(1, { path, entries: ENTRIES, what: 'bounded' })
    return {
      series,
      values: {
        mostBytes: Math.max(...series.slice(0, -1).map((one) => median(one.rounds))),
        heldBeyondBound: bounded[0],
      },
    }
  },
}

/** A heap of its own for each. */
async function repeat(rounds, task) {
  const values = []
  while (values.length < rounds) values.push(await measureOnce(task))
  return values
}

async function measureOnce(task) {
  return (await nextMessage(fork(PROCESS, [JSON.stringify(task)], { execArgv: ['--expose-gc'] }))).value
}

/** How many verifications are answered from memory when few tokens are used much and many are used little. */
import { createLatchkey } from 'latchkey'
import { fillPostgres, fillSqlite, openStore, sizeName } from '../../lib/scale-databases.mjs'
import { SERVER_SECRET, secretAt } from '../../lib/tokens-database.mjs'
import { zipfPicks } from '../../lib/zipf.mjs'

/** The setting; the cache holds up to twice as many. The default is among them. */
const CACHE_ENTRIES = [1_000, 10_000, 50_000, 500_000]
const EXPONENTS = [1, 0.8]
const MEASURED = 20_000

/** @type {import('../../lib/row.mjs').Row} */
export const zipf = {
  name: 'scale-zipf',
  group: 'scale',
  title:
    'verifications answered from memory, and what one costs then: Zipf traffic on the largest database, SQLite',
  unit: '%',
  limit: 'none: every token would be in memory',
  goals: [],
  async run({ rounds, folder, tokens }) {
    const database = await fillSqlite(folder, tokens)
    try {
      const series = []
      for (const exponent of EXPONENTS) {
        for (const cacheEntries of CACHE_ENTRIES.filter((entries) => entries * 2 < tokens)) {
          series.push(...(await measure(database, { rounds, exponent, cacheEntries, tokens })))
        }
      }
      return { series, values: { tokens } }
    } finally {
      await database.drop()
    }
  },
}

/** What the same traffic is on PostgreSQL, with the default cache. @type {import('../../lib/row.mjs').Row} */
export const zipfPostgres = {
  ...zipf,
  name: 'scale-zipf-postgres',
  title: 'the same on PostgreSQL, with the default cache',
  async run({ rounds, tokens }) {
    const database = await fillPostgres(tokens)
    if (database === null) return { series: [], values: {}, absent: { tokens: 'no PostgreSQL answers' } }
    try {
      return {
        series: await measure(database, { rounds, exponent: 1, cacheEntries: 50_000, tokens, batch: 16 }),
        values: { tokens },
      }
    } finally {
      await database.drop()
    }
  },
}

/** `batch`: so many requests wait for the database at a time, as those of a server do. */
async function measure({ place }, { rounds, exponent, cacheEntries, tokens, batch = 1 }) {
  const store = openStore(place)
  const latchkey = createLatchkey({ store, secret: SERVER_SECRET, cacheEntries })
  const pick = zipfPicks({ seed: 1, tokens, exponent })
  // As many as fill both generations several times over, or the hit rate would be that of a cache that still grows.
  await verifyMany(latchkey, pick, Math.min(cacheEntries * 6, 1_500_000), batch)
  const [hits, costs] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    const { hit, us } = await verifyMany(latchkey, pick, MEASURED, batch)
    hits.push((hit / MEASURED) * 100)
    costs.push(us / MEASURED)
  }
  await latchkey.close()
  const name = `s = ${exponent}, cacheEntries ${cacheEntries.toLocaleString('en')} of ${sizeName(tokens)}`
  return [
    { name, rounds: hits },
    { name: `${name}, one verification`, unit: 'µs', rounds: costs },
  ]
}

async function verifyMany({ tokens }, pick, count, batch) {
  let hit = 0
  let us = 0
  for (let done = 0; done < count; done += batch) {
    const secrets = Array.from({ length: batch }, () => secretAt(pick()))
    const startedMs = performance.now()
    const waiting = []
    for (const secret of secrets) {
      const answer = tokens.verify(secret)
      if (answer instanceof Promise) waiting.push(answer)
      else hit += 1
    }
    if (waiting.length > 0) await Promise.all(waiting)
    us += (performance.now() - startedMs) * 1000
    // The change feed must be read, and uses written.
    if (done % 1024 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return { hit, us }
}

/** How soon another process refuses a token: from the moment that its revocation was acknowledged. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createLatchkey } from 'latchkey'
import pg from 'pg'
import { nextMessage } from '../lib/child.mjs'
import { median, quantile } from '../lib/numbers.mjs'
import { fillPostgres, fillSqlite, openStore } from '../lib/scale-databases.mjs'
import { SERVER_SECRET, secretAt } from '../lib/tokens-database.mjs'

const TOKENS = 10_000
const PER_ROUND = 50
const WATCHER = fileURLToPath(new URL('../servers/watcher.mjs', import.meta.url))

/** @type {import('../lib/row.mjs').Row} */
export const revocation = {
  name: 'revocation',
  title: 'delay until another process refuses a revoked token, from the acknowledgement on',
  unit: 'ms',
  limit:
    'a bare NOTIFY, from its acknowledgement until a client of pg that listens in another process hears of it',
  goals: ['SQLite', 'PostgreSQL'].map((engine) => ({
    of: `p99Ms ${engine}`,
    says: `${engine}, 99 of 100 within`,
    unit: 'ms',
    atMost: 50,
  })),
  async run({ rounds, folder }) {
    const contenders = [await onSqlite(folder), ...(await onPostgres())]
    const delays = contenders.map(() => [])
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, { measureOnce }] of contenders.entries()) {
        const ofRound = []
        while (ofRound.length < PER_ROUND) ofRound.push(await measureOnce())
        delays[index].push(ofRound)
      }
    }
    for (const { close } of contenders) await close()
    const p99Ms = (index) => quantile(delays[index].flat(), 0.99)
    return {
      series: contenders.map(({ name }, index) => ({
        name,
        rounds: delays[index].map(median),
        p99: p99Ms(index),
      })),
      values: Object.fromEntries(contenders.map(({ name }, index) => [`p99Ms ${name}`, p99Ms(index)])),
      ...(contenders.length > 1 ? {} : { absent: { 'p99Ms PostgreSQL': 'no PostgreSQL answers' } }),
    }
  },
}

async function onSqlite(folder) {
  return revoking('SQLite', await fillSqlite(folder, TOKENS))
}

async function onPostgres() {
  const database = await fillPostgres(TOKENS)
  return database === null ? [] : [await revoking('PostgreSQL', database), await notifying(database.place)]
}

/** The tokens of the database go one by one: number `n` has the id `n + 1`. */
async function revoking(name, { place, drop }) {
  const latchkey = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
  const watcher = await watch({ place })
  let next = 0
  return {
    name,
    measureOnce: async () => {
      await watcher.ask({ secret: secretAt(next) })
      const refused = watcher.answer()
      next += 1
      if (!(await latchkey.tokens.revoke(next))) throw new Error('there was no token to revoke')
      return msBetween(process.hrtime.bigint(), (await refused).at)
    },
    close: async () => {
      watcher.end()
      await latchkey.close()
      await drop()
    },
  }
}

async function notifying({ url }) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const watcher = await watch({ listenOn: url })
  return {
    name: 'limit: NOTIFY',
    measureOnce: async () => {
      const heard = watcher.answer()
      await client.query('NOTIFY latchkey_bench')
      return msBetween(process.hrtime.bigint(), (await heard).at)
    },
    close: async () => {
      watcher.end()
      await client.end()
    },
  }
}

async function watch(task) {
  const child = fork(WATCHER, [JSON.stringify(task)])
  const answer = () => nextMessage(child)
  await answer()
  const ask = (question) => {
    const answered = answer()
    child.send(question)
    return answered
  }
  return { ask, answer, end: () => child.kill() }
}

/** By the clock that all processes of a machine share. What was heard before the acknowledgement took no time. */
function msBetween(fromNs, to) {
  return Math.max(0, Number(BigInt(to) - fromNs) / 1e6)
}

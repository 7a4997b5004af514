/** How many revocations a PostgreSQL takes while nodes listen to them: where its notifications end. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createLatchkey } from 'latchkey'
import pg from 'pg'
import { nextMessage } from '../../lib/child.mjs'
import { pairedRatio } from '../../lib/numbers.mjs'
import { fillPostgres, openStore } from '../../lib/scale-databases.mjs'
import { SERVER_SECRET } from '../../lib/tokens-database.mjs'

const TOKENS = 200_000
const NODES = [1, 8, 32]
const AT_A_TIME = 16
const SECONDS = 2
const LISTENER = fileURLToPath(new URL('./listening-process.mjs', import.meta.url))

/** @type {import('../../lib/row.mjs').Row} */
export const changes = {
  name: 'scale-changes',
  group: 'scale',
  title: `revocations per second on PostgreSQL, ${AT_A_TIME} at a time, heard by 1, 8 and 32 nodes`,
  unit: 'per s',
  limit: 'the row deleted and committed, with no trigger: nobody hears of it',
  goals: [],
  async run({ rounds }) {
    const database = await fillPostgres(TOKENS)
    if (database === null) return { series: [], values: {}, absent: { times: 'no PostgreSQL answers' } }
    const next = counter()
    const ours = { name: '', rounds: [] }
    const series = [
      ...NODES.map((nodes) => ({ ...ours, name: `revoked, heard by ${nodes}`, rounds: [] })),
      { name: 'limit: deleted, heard by nobody', rounds: [] },
      ...NODES.map((nodes) => ({
        name: `processor time of ${nodes} that listen, per change and node`,
        unit: 'µs',
        rounds: [],
      })),
    ]
    try {
      for (let round = 0; round < Math.min(rounds, 5); round += 1) {
        for (const [index, nodes] of NODES.entries()) {
          const { rate, cpuUs } = await revokeWith(database.place, nodes, next)
          series[index].rounds.push(rate)
          series[NODES.length + 1 + index].rounds.push(cpuUs)
        }
        series[NODES.length].rounds.push(await deleteBare(database.place, next))
      }
    } finally {
      await database.drop()
    }
    const bare = series[NODES.length].rounds
    return {
      series,
      values: Object.fromEntries(
        NODES.map((nodes, index) => [`bareTimesOurs ${nodes}`, pairedRatio(bare, series[index].rounds)]),
      ),
    }
  },
}

/** The revoking node listens too; the others live in one process beside it. */
async function revokeWith(place, nodes, next) {
  const listener = fork(LISTENER, [JSON.stringify({ place, nodes: nodes - 1 })])
  await nextMessage(listener)
  const latchkey = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
  await latchkey.tokens.revoke(next())
  listener.send('begin')
  await nextMessage(listener)
  const rate = await inParallel(() => latchkey.tokens.revoke(next()))
  listener.send('end')
  const { cpuUs, heard } = await nextMessage(listener)
  listener.kill()
  await latchkey.close()
  return { rate, cpuUs: heard === 0 ? 0 : cpuUs / heard }
}

async function deleteBare(place, next) {
  const pool = new pg.Pool({ connectionString: place.url, max: AT_A_TIME })
  await pool.query(`ALTER TABLE "${place.schema}".tokens DISABLE TRIGGER ALL`)
  const statement = { name: 'bare', text: `DELETE FROM "${place.schema}".tokens WHERE id = $1` }
  const rate = await inParallel(() => pool.query({ ...statement, values: [next()] }))
  await pool.query(`ALTER TABLE "${place.schema}".tokens ENABLE TRIGGER ALL`)
  await pool.end()
  return rate
}

async function inParallel(work) {
  const startedMs = performance.now()
  const endsMs = startedMs + SECONDS * 1000
  let done = 0
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (; performance.now() < endsMs; done += 1) await work()
    }),
  )
  return done / ((performance.now() - startedMs) / 1000)
}

function counter() {
  let last = 0
  return () => {
    last += 1
    if (last > TOKENS) throw new Error('there are no tokens left to revoke')
    return last
  }
}

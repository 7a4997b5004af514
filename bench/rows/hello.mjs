/** `GET /hello/` with the guard against the same route without it, once per framework. */
import { join } from 'node:path'
import { saturate } from '../lib/load.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { startServer } from '../lib/server-process.mjs'
import { createTokensDatabase, secretAt } from '../lib/tokens-database.mjs'

const CONNECTIONS = 64
/** Turns are short, so that what disturbs the machine for longer disturbs both halves of a pair. */
const SECONDS_PER_TURN = 1
const TURNS_PER_ROUND = 3
const TOKENS = 100

const FRAMEWORKS = {
  hono: 'Hono on @hono/node-server',
  express: 'Express 5',
  node: 'node:http',
  server: 'a view in the app of `latchkey serve`',
}

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const HELLO_ROWS = Object.entries(FRAMEWORKS).map(([framework, words]) => ({
  name: `hello-${framework}`,
  title: `GET /hello/ behind the guard, ${words}, ${CONNECTIONS} connections`,
  unit: 'req/s',
  limit: 'the same route without the guard, sent the same requests',
  goals: [{ of: 'ofUnguarded', says: 'of the throughput without the guard', unit: '×', atLeast: 0.9 }],
  run: (context) => measure(framework, context),
}))

async function measure(framework, { rounds, folder }) {
  const database = join(folder, 'hello.sqlite3')
  await createTokensDatabase(database, { tokens: TOKENS, users: TOKENS })
  const requests = Array.from({ length: TOKENS }, (_, index) => ({
    method: 'GET',
    path: '/hello/',
    headers: { authorization: `Token ${secretAt(index)}` },
  }))
  const guarded = await startServer('hello', { framework, guarded: true, database })
  const bare = await startServer('hello', { framework, guarded: false, database })

  await expectGuard(guarded.url, 401)
  await expectGuard(bare.url, 200)
  const ours = { rates: [], cpuUs: [] }
  const limit = { rates: [], cpuUs: [] }
  await turn(guarded, requests)
  await turn(bare, requests)
  for (let round = 0; round < rounds * TURNS_PER_ROUND; round += 1) {
    for (const [taken, server] of [
      [ours, guarded],
      [limit, bare],
    ]) {
      const { rate, cpuUs } = await turn(server, requests)
      taken.rates.push(rate)
      taken.cpuUs.push(cpuUs)
    }
  }
  await guarded.stop()
  await bare.stop()
  return {
    series: [
      { name: 'with the guard', rounds: ours.rates },
      { name: 'limit: without', rounds: limit.rates },
      { name: 'processor time of one request, with', unit: 'µs', rounds: ours.cpuUs },
      { name: 'processor time of one request, without', unit: 'µs', rounds: limit.cpuUs },
    ],
    values: {
      ofUnguarded: pairedRatio(ours.rates, limit.rates),
      ofUnguardedByMedians: median(ours.rates) / median(limit.rates),
      ofUnguardedByProcessorTime: median(limit.cpuUs) / median(ours.cpuUs),
      addedProcessorUs: median(ours.cpuUs) - median(limit.cpuUs),
    },
  }
}

/** One turn of load; what it cost the server is asked of the server itself. */
async function turn({ url, ask }, requests) {
  const before = await ask({ kind: 'cpu' })
  const { rate, answered } = await saturate({
    url,
    connections: CONNECTIONS,
    seconds: SECONDS_PER_TURN,
    requests,
  })
  const after = await ask({ kind: 'cpu' })
  return { rate, cpuUs: (after.cpuUs - before.cpuUs) / answered }
}

/** Without credentials the one must refuse and the other must not, else this measures nothing. */
async function expectGuard(url, status) {
  const answer = await fetch(`${url}/hello/`)
  await answer.arrayBuffer()
  if (answer.status !== status) throw new Error(`${url}: ${answer.status} where ${status} was expected`)
}

/** `GET /hello/` with the guard against the same route without it, once per framework. */
import { join } from 'node:path'
import { saturate } from '../lib/load.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { startServer } from '../lib/server-process.mjs'
import { createTokensDatabase, secretAt } from '../lib/tokens-database.mjs'

const CONNECTIONS = 64
/** Turns are short, so that what disturbs the machine for longer disturbs all turns of a round. */
const SECONDS_PER_TURN = 1
const TURNS_PER_ROUND = 2
const TOKENS = 100

const FRAMEWORKS = {
  hono: 'Hono on @hono/node-server, as middleware',
  'hono-route': 'Hono on @hono/node-server, around the handler',
  express: 'Express 5',
  node: 'node:http',
  server: 'a view in the app of `latchkey serve`',
}

/** As the table names them, and how a request without credentials is answered (`least` would crash). */
const VARIANTS = [
  { variant: 'guarded', words: 'with the guard', anonymous: 401 },
  { variant: 'open', words: 'limit: without', anonymous: 200 },
  { variant: 'least', words: 'limit: SHA-256 and Map.get in its place', anonymous: null },
]

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const HELLO_ROWS = Object.entries(FRAMEWORKS).map(([framework, words]) => ({
  name: `hello-${framework}`,
  title: `GET /hello/ behind the guard, ${words}, ${CONNECTIONS} connections`,
  unit: 'req/s',
  limit: 'the same route without the guard; and with only what no check of an opaque token can leave out',
  goals: [{ of: 'ofOpen', says: 'of the throughput without the guard', unit: '×', atLeast: 0.9 }],
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
  const runs = []
  for (const { variant, words, anonymous } of VARIANTS) {
    const server = await startServer('hello', { framework, variant, database, tokens: TOKENS })
    if (anonymous !== null) await expectStatus(server.url, anonymous)
    runs.push({ words, server, rates: [], cpuUs: [] })
  }
  const turns = rounds * TURNS_PER_ROUND
  for (let turn = -1; turn < turns; turn += 1) {
    for (const { server, rates, cpuUs } of runs) {
      const taken = await takeTurn(server, requests)
      if (turn < 0) continue
      rates.push(taken.rate)
      cpuUs.push(taken.cpuUs)
    }
  }
  for (const { server } of runs) await server.stop()
  const [guarded, open, least] = runs
  return {
    series: [
      ...runs.map(({ words, rates }) => ({ name: words, rounds: rates })),
      ...runs.map(({ words, cpuUs }) => ({ name: `processor time, ${words}`, unit: 'µs', rounds: cpuUs })),
    ],
    values: {
      ofOpen: pairedRatio(guarded.rates, open.rates),
      ofOpenByMedians: median(guarded.rates) / median(open.rates),
      ofOpenByProcessorTime: pairedRatio(open.cpuUs, guarded.cpuUs),
      leastOfOpen: pairedRatio(least.rates, open.rates),
      ofLeast: pairedRatio(guarded.rates, least.rates),
    },
  }
}

/** One turn of load; what it cost the server is asked of the server itself. */
async function takeTurn({ url, ask }, requests) {
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

/** Without credentials the guard must refuse, and without the guard nobody is refused: else this measures nothing. */
async function expectStatus(url, status) {
  const answer = await fetch(`${url}/hello/`)
  await answer.arrayBuffer()
  if (answer.status !== status) throw new Error(`${url}: ${answer.status} where ${status} was expected`)
}

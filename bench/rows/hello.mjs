/** `GET /hello/` with the guard against the same route without it, once per framework. */
import { join } from 'node:path'
import { CONNECTIONS, contest, helloRequests, seriesOf, startNode } from '../lib/contest.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { createTokensDatabase, tokenHeaders } from '../lib/tokens-database.mjs'

const TOKENS = 100

/**
 * Framework -> what the route is, the share of the throughput without the guard that has to be left, and whether the
 * framework calls the guard before the route, which costs something by itself.
 */
const FRAMEWORKS = {
  fastify: { words: 'Fastify, as onRequest hook', atLeast: 0.95, isBefore: true },
  'fastify-route': { words: 'Fastify, around the handler', atLeast: 0.95 },
  hono: { words: 'Hono on @hono/node-server, as middleware', atLeast: 0.95, isBefore: true },
  'hono-route': { words: 'Hono on @hono/node-server, around the handler', atLeast: 0.95 },
  express: { words: 'Express 5, as middleware', atLeast: 0.9, isBefore: true },
  'express-route': { words: 'Express 5, around the handler', atLeast: 0.9 },
  node: { words: 'node:http', atLeast: 0.9 },
  server: { words: 'a view in the app of `latchkey serve`', atLeast: 0.9 },
}

/** As the table names them, and how a request without credentials is answered (`least` would crash). */
const VARIANTS = [
  { variant: 'guarded', words: 'with the guard', anonymous: 401 },
  { variant: 'open', words: 'limit: without', anonymous: 200 },
  { variant: 'least', words: 'limit: SHA-256 and Map.get in its place', anonymous: null },
]
const EMPTY = { variant: 'empty', words: 'limit: one that does nothing in its place', anonymous: 200 }

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const HELLO_ROWS = Object.entries(FRAMEWORKS).map(
  ([framework, { words, atLeast, isBefore = false }]) => ({
    name: `hello-${framework}`,
    title: `GET /hello/ behind the guard, ${words}, ${CONNECTIONS} connections`,
    unit: 'req/s',
    limit: 'the same route without the guard; and with only what no check of an opaque token can leave out',
    comparison: { series: ['with the guard'], atMost: 1.1 },
    goals: [{ of: 'ofOpen', says: 'of the throughput without the guard', unit: '×', atLeast }],
    run: (context) => measure(framework, isBefore ? [...VARIANTS, EMPTY] : VARIANTS, context),
  }),
)

async function measure(framework, variants, { rounds, folder }) {
  const database = join(folder, 'hello.sqlite3')
  await createTokensDatabase(database, { tokens: TOKENS, users: TOKENS })
  const requests = helloRequests(tokenHeaders('Token', TOKENS))
  const outcomes = await contest({
    rounds,
    contestants: variants.map(({ variant, words, anonymous }) => ({
      name: words,
      start: startNode('hello', { framework, variant, database, tokens: TOKENS }),
      requests,
      anonymous,
    })),
  })
  const [guarded, open, least, empty] = outcomes
  return {
    series: seriesOf(outcomes),
    values: {
      ofOpen: pairedRatio(guarded.rates, open.rates),
      ofOpenByMedians: median(guarded.rates) / median(open.rates),
      ofOpenByProcessorTime: pairedRatio(open.cpuUs, guarded.cpuUs),
      leastOfOpen: pairedRatio(least.rates, open.rates),
      ofLeast: pairedRatio(guarded.rates, least.rates),
      ...(empty && { emptyOfOpen: pairedRatio(empty.rates, open.rates) }),
      busyOpen: median(open.busy),
    },
  }
}

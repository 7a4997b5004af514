/** What a token costs among ten thousand and among ten million: hot, cold, and until a new process has verified one. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { createLatchkey } from 'latchkey'
import pg from 'pg'
import { nextMessage } from '../../lib/child.mjs'
import { holdBackends, holdToCore } from '../../lib/cores.mjs'
import { median, pairedRatio, seededPicks } from '../../lib/numbers.mjs'
import { fillPostgres, fillSqlite, openStore, SIZES, sizeName } from '../../lib/scale-databases.mjs'
import { sink, takeTurns } from '../../lib/timing.mjs'
import { digestOf, SERVER_SECRET, secretAt } from '../../lib/tokens-database.mjs'

const HOT_TOKENS = 10_000
const HOT_CALLS_PER_BATCH = 100
const STARTER = fileURLToPath(new URL('./starter.mjs', import.meta.url))

/** The library's own row, by the least statement that finds it. */
const LOOK_UP = {
  SQLite:
    'SELECT tokens.*, users.* FROM tokens LEFT JOIN users ON users.id = tokens.user_id WHERE digest = ?',
  PostgreSQL: (schema) =>
    `SELECT tokens.*, users.* FROM "${schema}".tokens LEFT JOIN "${schema}".users ON users.id = tokens.user_id WHERE digest = $1`,
}

const BACKENDS =
  "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"

const ENGINES = [
  { engine: 'SQLite', name: 'scale-sqlite', timesBare: 2, coldBatches: 300, fill: fillSqlite },
  {
    engine: 'PostgreSQL',
    name: 'scale-postgres',
    timesBare: 1.3,
    coldBatches: 100,
    fill: (_folder, tokens) => fillPostgres(tokens),
  },
]

/** @type {readonly import('../../lib/row.mjs').Row[]} */
export const SIZE_ROWS = ENGINES.map(({ engine, name, timesBare, coldBatches, fill }) => ({
  name,
  group: 'scale',
  title: `one verification and a start on ${engine} among 10^4 to 10^7 tokens, 10,000 of them hot`,
  unit: 'µs',
  limit: 'a bare prepared look-up of the same row in the same database',
  goals: [
    { of: 'hotGrowth', says: 'hot: the most tokens, times the fewest', unit: '×', atMost: 1.2 },
    {
      of: 'timesBareSmallest',
      says: 'cold, the fewest tokens, times a bare look-up',
      unit: '×',
      atMost: timesBare,
    },
    {
      of: 'timesBareLargest',
      says: 'cold, the most tokens, times a bare look-up',
      unit: '×',
      atMost: timesBare,
    },
    { of: 'startGrowth', says: 'start-up: the most tokens, times the fewest', unit: '×', atMost: 1.2 },
  ],
  run: (context) => measure({ engine, coldBatches, fill }, context),
}))

async function measure({ engine, coldBatches, fill }, { rounds, folder, tokens: largest }) {
  const sizes = SIZES.filter((size) => size <= largest)
  const opened = []
  try {
    for (const size of sizes) {
      const database = await fill(folder, size)
      if (database === null) return absent(engine)
      opened.push({ ...database, ...(await open(database)) })
    }
    if (engine === 'PostgreSQL') await holdApart(opened)
    const series = await takeTurns({
      rounds,
      batchesPerTurn: coldBatches,
      contenders: opened.flatMap((one) => contenders(one)),
    })
    holdToCore(process.pid, 'both')
    return await measuredOf(opened, [...series, ...(await starts(opened, rounds))])
  } finally {
    for (const { close, drop } of opened) {
      await close()
      await drop()
    }
  }
}

function absent(engine) {
  const why = `no ${engine} answers`
  return {
    series: [],
    values: {},
    absent: Object.fromEntries(
      ['hotGrowth', 'timesBareSmallest', 'timesBareLargest', 'startGrowth'].map((of) => [of, why]),
    ),
  }
}

async function open({ place, tokens }) {
  const hot = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
  const cold = createLatchkey({ store: openStore(place), secret: SERVER_SECRET, cacheEntries: 0 })
  // Spread over the whole table, so that a large one is not hot at its beginning only.
  const secrets = Array.from({ length: HOT_TOKENS }, (_, index) =>
    secretAt(Math.floor((index * tokens) / HOT_TOKENS)),
  )
  for (const secret of secrets) await hot.tokens.verify(secret)
  const bare = await openBare(place)
  return {
    hot,
    cold,
    secrets,
    bare,
    close: async () => {
      await hot.close()
      await cold.close()
      await bare.close()
    },
  }
}

/** A connection of its own, and the statement prepared once. */
async function openBare(place) {
  if (place.engine === 'SQLite') {
    const database = new Database(place.path)
    const statement = database.prepare(LOOK_UP.SQLite)
    return { get: (digest) => statement.get(digest), close: () => database.close() }
  }
  const client = new pg.Client({ connectionString: place.url })
  await client.connect()
  const text = LOOK_UP.PostgreSQL(place.schema)
  return {
    get: async (digest) => (await client.query({ name: 'bare', text, values: [digest] })).rows[0],
    backends: async () => (await client.query(BACKENDS)).rows.map(({ pid }) => pid),
    close: () => client.end(),
  }
}

function contenders({ tokens, hot, cold, bare, secrets }) {
  const size = sizeName(tokens)
  const pickHot = seededPicks(1, HOT_TOKENS)
  const pickCold = seededPicks(2, tokens)
  const pickBare = seededPicks(3, tokens)
  return [
    { name: `hot, ${size}`, turn: hotTurn(hot, () => secrets[pickHot()]) },
    {
      name: `cold, ${size}`,
      turn: oneByOne(
        () => secretAt(pickCold()),
        (secret) => cold.tokens.verify(secret),
      ),
    },
    {
      name: `limit: bare look-up, ${size}`,
      turn: oneByOne(() => digestOf(secretAt(pickBare())), bare.get),
    },
  ]
}

/**
 * Us on one core, what answers us on the other. Left to the system, a connection finds its server on the same core or on
 * the other one for minutes, and a round trip takes twice as long on one of them: ours or the bare one, as luck has it.
 */
async function holdApart(opened) {
  holdToCore(process.pid, 'server')
  for (const { bare } of opened) holdBackends(await bare.backends(), 'postgres')
}

/** A batch runs in one turn of the event loop; between batches the loop goes on, so that the change feed is read. */
function hotTurn({ tokens }, next) {
  return async (batches) => {
    const inputs = new Array(HOT_CALLS_PER_BATCH)
    for (let batch = 0; batch < batches.length; batch += 1) {
      for (let index = 0; index < inputs.length; index += 1) inputs[index] = next()
      await new Promise((resolve) => setImmediate(resolve))
      const startedMs = performance.now()
      for (const secret of inputs) sink.value = tokens.verify(secret)
      batches[batch] = ((performance.now() - startedMs) * 1000) / inputs.length
      if (sink.value instanceof Promise) throw new Error('the token is not hot')
    }
  }
}

/** Each call is timed alone: on PostgreSQL it is a round trip. */
function oneByOne(next, call) {
  return async (batches) => {
    for (let batch = 0; batch < batches.length; batch += 1) {
      const input = next()
      const startedMs = performance.now()
      const answer = await call(input)
      batches[batch] = (performance.now() - startedMs) * 1000
      if (answer === undefined) throw new Error('a token of the database was not found')
    }
  }
}

/** New processes, in turns. */
async function starts(opened, rounds) {
  const series = opened.map(({ tokens }) => ({
    name: `start-up, ${sizeName(tokens)}`,
    unit: 'ms',
    rounds: [],
  }))
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { place, tokens }] of opened.entries()) {
      series[index].rounds.push(await startOnce(place, secretAt((round * 7919) % tokens)))
    }
  }
  return series
}

async function startOnce(place, secret) {
  return (await nextMessage(fork(STARTER, [JSON.stringify({ place, secret })]))).ms
}

async function measuredOf(opened, series) {
  const of = (name) => series.find((one) => one.name === name).rounds
  const [smallest, largest] = [opened[0], opened.at(-1)].map(({ tokens }) => sizeName(tokens))
  const growth = (what) => pairedRatio(of(`${what}, ${largest}`), of(`${what}, ${smallest}`))
  const timesBare = (size) => pairedRatio(of(`cold, ${size}`), of(`limit: bare look-up, ${size}`))
  const values = {
    hotGrowth: growth('hot'),
    coldGrowth: growth('cold'),
    bareGrowth: growth('limit: bare look-up'),
    startGrowth: growth('start-up'),
    timesBareSmallest: timesBare(smallest),
    timesBareLargest: timesBare(largest),
  }
  for (const { tokens, bytes, fillSeconds } of opened) {
    values[`bytesPerToken ${sizeName(tokens)}`] = (await bytes()) / tokens
    values[`fillSeconds ${sizeName(tokens)}`] = fillSeconds
    values[`hotUs ${sizeName(tokens)}`] = median(of(`hot, ${sizeName(tokens)}`))
  }
  return { series, values }
}

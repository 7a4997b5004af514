/** Logins over HTTP against bare argon2id, and what a rush of them does to everybody else's requests. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pace, saturate } from '../lib/load.mjs'
import { median, pairedRatio, quantile } from '../lib/numbers.mjs'
import { startServer } from '../lib/server-process.mjs'

const CONNECTIONS = 16
const SECONDS_PER_TURN = 4
const HELLOS_PER_SECOND = 100
/** Each with a token already, as nearly everybody who logs in again has. */
const USERS = Array.from({ length: 64 }, (_, index) => ({
  username: `vitor-${index}`,
  password: `nine quiet otters ${index}`,
}))

const VARIANTS = {
  login: { words: 'no login rate', options: { loginRate: null } },
  'login-rated': { words: 'the default login rate, right passwords only', options: {} },
}

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const LOGIN_ROWS = Object.entries(VARIANTS).map(([name, { words, options }]) => ({
  name,
  title: `POST /api-token-auth/ from ${CONNECTIONS} connections on SQLite, ${words}`,
  unit: 'per s',
  limit: 'argon2id alone in threads that do nothing else, as many at a time as the hash queue lets run',
  comparison: { series: ['logins'], atMost: 1.1 },
  goals: [
    { of: 'ofBare', says: 'of the bare argon2id rate', unit: '×', atLeast: 0.9 },
    { of: 'helloTimesIdle', says: 'p99 of GET /hello/ during logins, times idle', unit: '×', atMost: 3 },
  ],
  run: (context) => measure(options, context),
}))

async function measure(options, { rounds, folder }) {
  const settings = { database: join(folder, 'login.sqlite3'), users: USERS, options }
  const { url, ask, stop } = await startServer('login', settings)
  const { tokens } = await ask({ kind: 'tokens' })
  const headers = tokens.map((token) => ({ authorization: `Token ${token}` }))
  const hellos = () =>
    pace({ url: `${url}/hello/`, headers, perSecond: HELLOS_PER_SECOND, seconds: SECONDS_PER_TURN })
  const logins = () =>
    saturate({ url, connections: CONNECTIONS, seconds: SECONDS_PER_TURN, requests: USERS.map(loginRequest) })
  const argon2 = () => ask({ kind: 'argon2', seconds: SECONDS_PER_TURN })

  const rates = { logins: [], argon2: [] }
  const latencies = { idle: [], busy: [] }
  let concurrency = 0
  for (let round = -1; round < rounds; round += 1) {
    const idle = await hellos()
    const bare = await argon2()
    const [busy, { rate }] = await Promise.all([hellos(), logins()])
    // Logins that were queued when the load ended are still being hashed.
    await sleep(1000)
    concurrency = bare.concurrency
    if (round < 0) continue
    rates.logins.push(rate)
    rates.argon2.push(bare.rate)
    latencies.idle.push(idle)
    latencies.busy.push(busy)
  }
  await stop()
  return {
    series: [
      { name: 'logins', rounds: rates.logins },
      { name: `limit: argon2id alone, ${concurrency} at a time`, rounds: rates.argon2 },
      helloSeries('GET /hello/ idle, median', latencies.idle),
      helloSeries('GET /hello/ during logins, median', latencies.busy),
    ],
    values: {
      ofBare: pairedRatio(rates.logins, rates.argon2),
      ofBareByMedians: median(rates.logins) / median(rates.argon2),
      helloTimesIdle: quantile(latencies.busy.flat(), 0.99) / quantile(latencies.idle.flat(), 0.99),
      concurrency,
    },
  }
}

function loginRequest(credentials) {
  return {
    method: 'POST',
    path: '/api-token-auth/',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(credentials),
  }
}

function helloSeries(name, turns) {
  return { name, unit: 'ms', rounds: turns.map(median), p99: quantile(turns.flat(), 0.99) }
}

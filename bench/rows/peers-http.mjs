/** The authenticated hello over HTTP, ours and that of the libraries and the framework people use instead. */
import { join } from 'node:path'
import { CONNECTIONS, contest, helloRequests, seriesOf, startNode } from '../lib/contest.mjs'
import { postgresDatabase, prepareDrf, pythonWithDrf, sqliteDatabase, startDrf } from '../lib/drf-server.mjs'
import { issueJwts, newJwtKey } from '../lib/jwt-tokens.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { importPeer } from '../lib/peers.mjs'
import { createTokensDatabase, secretAt, tokenHeaders, usernameAt } from '../lib/tokens-database.mjs'

const TOKENS = 100

const OURS = 'Latchkey on Fastify'
const OURS_TWICE = 'Latchkey on Fastify, 2 processes on both cores'
const BARE_TWICE = 'Latchkey on node:http, 2 processes on both cores'
const DRF = 'Django REST framework, 2 workers on both cores'

/** Value -> whom it compares ours with. */
const RATIOS = {
  timesDrf: [OURS_TWICE, `${DRF}, SQLite`],
  timesDrfOnPostgres: [OURS_TWICE, `${DRF}, PostgreSQL`],
  timesDrfWithoutFramework: [BARE_TWICE, `${DRF}, SQLite`],
  timesDrfByOneProcess: [OURS, `${DRF}, SQLite`],
  timesBetterAuth: [OURS, 'Fastify, better-auth api-key'],
  timesFastifyJwt: [OURS, 'Fastify, @fastify/jwt'],
  timesPassport: ['Latchkey on Express', 'Express, passport-http-bearer'],
}

/** @type {import('../lib/row.mjs').Row} */
export const peersHttp = {
  name: 'peers-http',
  title: `GET /hello/ with authentication, ours and peers, ${CONNECTIONS} connections`,
  unit: 'req/s',
  limit: 'none here: the rows hello-… have the same routes without authentication',
  needsPeers: true,
  goals: ['timesDrf', 'timesDrfOnPostgres'].map((of) => ({
    of,
    says: `times ${RATIOS[of][1]}`,
    unit: '×',
    atLeast: 60,
  })),
  async run({ rounds, folder }) {
    const drf = await openDrf(folder)
    try {
      const nodes = [...(await ours(folder)), ...(await peers(folder))]
      const outcomes = await contest({ rounds, contestants: [...nodes, ...drf.contestants] })
      return { series: seriesOf(outcomes), values: valuesOf(outcomes), absent: drf.absent }
    } finally {
      await drf.close()
    }
  },
}

/** Only of those who took part. */
function valuesOf(outcomes) {
  const of = (name) => outcomes.find((outcome) => outcome.name === name)
  const values = { busyOurs: median(of(OURS).busy) }
  for (const [value, [mine, theirs]] of Object.entries(RATIOS)) {
    if (of(theirs) === undefined) continue
    values[value] = pairedRatio(of(mine).rates, of(theirs).rates)
    values[`${value}ByProcessorTime`] = pairedRatio(of(theirs).cpuUs, of(mine).cpuUs)
  }
  return values
}

async function ours(folder) {
  const database = join(folder, 'hello.sqlite3')
  await createTokensDatabase(database, { tokens: TOKENS, users: TOKENS })
  const jwts = await issueJwts(newJwtKey('HS256'), { tokens: TOKENS, users: TOKENS })
  const opaque = helloRequests(tokenHeaders('Token', TOKENS))
  const settings = (framework) => ({ framework, variant: 'guarded', database, tokens: TOKENS })
  const contestant = (name, start, requests) => ({ name, start, requests, anonymous: 401 })
  return [
    contestant(OURS, startNode('hello', settings('fastify')), opaque),
    contestant(
      'Latchkey on Fastify, JWT',
      startNode('hello', settings('fastify-jwt')),
      helloRequests(bearers(jwts)),
    ),
    contestant('Latchkey on Express', startNode('hello', settings('express')), opaque),
    contestant(OURS_TWICE, startNode('hello-twice', settings('fastify'), { holdTo: 'both' }), opaque),
    contestant(BARE_TWICE, startNode('hello-twice', settings('node'), { holdTo: 'both' }), opaque),
  ]
}

/** The same JWTs and the same opaque tokens as ours; keys where a peer has its own. */
async function peers(folder) {
  const database = join(folder, 'passport.sqlite3')
  await createTokensDatabase(database, { tokens: TOKENS, users: TOKENS })
  const jwts = await issueJwts(newJwtKey('HS256'), { tokens: TOKENS, users: TOKENS })
  const { createApiKeys } = await importPeer('better-auth')
  const keysDatabase = join(folder, 'api-keys.sqlite3')
  const apiKeys = await createApiKeys(
    keysDatabase,
    Array.from({ length: TOKENS }, (_, index) => usernameAt(index)),
  )
  const contestant = (name, settings, headers) => ({
    name,
    of: 'peer',
    start: startNode('peers', settings),
    requests: helloRequests(headers),
    anonymous: 401,
  })
  return [
    contestant('Fastify, @fastify/jwt', { peer: 'fastify-jwt' }, bearers(jwts)),
    contestant(
      'Fastify, @fastify/jwt, its cache on',
      { peer: 'fastify-jwt-cached', tokens: TOKENS },
      bearers(jwts),
    ),
    contestant(
      'Fastify, better-auth api-key',
      { peer: 'better-auth', database: keysDatabase },
      apiKeys.map((key) => ({ 'x-api-key': key })),
    ),
    contestant(
      'Express, passport-http-bearer',
      { peer: 'passport-bearer', database },
      tokenHeaders('Bearer', TOKENS),
    ),
  ]
}

function bearers(jwts) {
  return jwts.map((jwt) => ({ authorization: `Bearer ${jwt}` }))
}

/** Real Django, where it is installed, on SQLite and on the PostgreSQL that answers. */
async function openDrf(folder) {
  const python = pythonWithDrf()
  if (python === null) {
    const reason = 'Django REST framework or gunicorn is not installed'
    return {
      contestants: [],
      absent: { timesDrf: reason, timesDrfOnPostgres: reason },
      close: async () => {},
    }
  }
  const postgres = await postgresDatabase(python)
  const databases = [
    ['SQLite', sqliteDatabase(folder)],
    ...(postgres === null ? [] : [['PostgreSQL', postgres]]),
  ]
  const lines = Array.from(
    { length: TOKENS },
    (_, index) => `${usernameAt(index)} ${secretAt(index)}\n`,
  ).join('')
  const close = async () => postgres?.drop()
  const contestants = []
  for (const [name, { settings }] of databases) {
    try {
      await prepareDrf(python, settings, lines)
    } catch (error) {
      await close()
      throw error
    }
    contestants.push({
      name: `${DRF}, ${name}`,
      of: 'peer',
      start: startDrf(python, settings),
      requests: helloRequests(tokenHeaders('Token', TOKENS)),
      anonymous: 401,
    })
  }
  const absent =
    postgres === null ? { timesDrfOnPostgres: 'no PostgreSQL answers, or psycopg2 is not installed' } : {}
  return { contestants, absent, close }
}

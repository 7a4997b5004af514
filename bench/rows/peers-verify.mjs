/** What one verification costs in process: ours, opaque and JWT, hot and cold, beside the libraries people use instead. */
import { createHmac, createSecretKey, hash, subtle } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { jwtVerify } from 'jose'
import { createLatchkey } from 'latchkey'
import { expectHot, hotTokens } from '../lib/hot-tokens.mjs'
import { HMAC_SECRET, issueJwts, jwtOptions, newJwtKey } from '../lib/jwt-tokens.mjs'
import { median, pairedRatio, seededPicks } from '../lib/numbers.mjs'
import { importPeer } from '../lib/peers.mjs'
import { awaitedCalls, calls, takeTurns } from '../lib/timing.mjs'
import { digestOf, SERVER_SECRET, usernameAt } from '../lib/tokens-database.mjs'

const JWTS = 10_000
const API_KEYS = 100
const TYPES = ['access']

/** @type {import('../lib/row.mjs').Row} */
export const peersVerify = {
  name: 'peers-verify',
  title: 'one verification in process, 10,000 opaque tokens or JWTs (HS256) on SQLite, and those of peers',
  unit: 'µs',
  limit: 'the bare operations: SHA-256 and Map.get, a prepared look-up, an HMAC',
  needsPeers: true,
  goals: [
    { of: 'opaqueHotUs', says: 'median of an opaque token, hot', unit: 'µs', atMost: 1.5 },
    { of: 'betterAuthTimesOurs', says: 'better-auth, times an opaque token, hot', unit: '×', atLeast: 500 },
  ],
  async run({ rounds, folder }) {
    const hot = await hotTokens(folder)
    const ours = await openOurs(hot)
    const peers = await openPeers(folder, hot)
    const bare = openBare(hot)
    const series = await takeTurns({
      rounds,
      batchesPerTurn: 200,
      contenders: [
        ...ours.contenders,
        ...peers.contenders.map((contender) => ({ ...contender, of: 'peer' })),
        ...bare.contenders,
      ],
    })
    for (const { close } of [ours, peers, bare]) await close()
    const of = (name) => series.find((one) => one.name === name).rounds
    const opaqueHot = of(OPAQUE_HOT)
    return {
      series,
      values: {
        opaqueHotUs: median(opaqueHot),
        betterAuthTimesOurs: pairedRatio(of(BETTER_AUTH), opaqueHot),
        joseTimesOurs: pairedRatio(of('jose, jwtVerify'), of(JWT_HOT)),
        fastifyJwtTimesOurs: pairedRatio(of('@fastify/jwt, verify'), of(JWT_HOT)),
        passportTimesOurs: pairedRatio(of(PASSPORT), opaqueHot),
      },
    }
  },
}

const OPAQUE_HOT = 'Latchkey, opaque token, hot'
const JWT_HOT = 'Latchkey, JWT, hot'
const BETTER_AUTH = 'better-auth, api-key verify'
const PASSPORT = 'passport-http-bearer, a look-up in the same SQLite file'

const synchronous = (name, next, call) => ({ name, turn: calls(100, next, call) })
const awaited = (name, next, call, { callsPerBatch = 20, batches } = {}) => ({
  name,
  turn: awaitedCalls(callsPerBatch, next, call),
  ...(batches === undefined ? {} : { batches }),
})

async function openOurs({ path, latchkey, nextSecret, secrets }) {
  const key = newJwtKey('HS256')
  const options = { secret: SERVER_SECRET, jwt: jwtOptions(key) }
  const hotJwts = createLatchkey({ store: sqlite(path), ...options })
  const cold = createLatchkey({ store: sqlite(path), ...options, cacheEntries: 0 })
  const tokens = await issueJwts(key, { tokens: JWTS, users: secrets.length })
  for (const token of tokens) await hotJwts.jwts.authenticate(token, TYPES)
  const pick = seededPicks(2, JWTS)
  const nextJwt = () => tokens[pick()]
  return {
    contenders: [
      synchronous(OPAQUE_HOT, nextSecret, (secret) => expectHot(latchkey.tokens.verify(secret))),
      synchronous(JWT_HOT, nextJwt, (token) => expectHot(hotJwts.jwts.authenticate(token, TYPES))),
      awaited('Latchkey, opaque token, cold', nextSecret, (secret) => cold.tokens.verify(secret)),
      awaited('Latchkey, JWT, cold', nextJwt, (token) => cold.jwts.authenticate(token, TYPES)),
    ],
    close: async () => {
      for (const one of [latchkey, hotJwts, cold]) await one.close()
    },
  }
}

async function openPeers(folder, { path, nextSecret, secrets }) {
  const [{ withFastifyJwt }, { createApiKeys, openBetterAuth }, { passportBearer }] = await Promise.all(
    ['fastify-jwt', 'better-auth', 'passport-bearer'].map(importPeer),
  )
  const key = newJwtKey('HS256')
  const tokens = await issueJwts(key, { tokens: JWTS, users: secrets.length })
  const pick = seededPicks(3, JWTS)
  const nextJwt = () => tokens[pick()]
  const fastify = await withFastifyJwt(Fastify(), key)
  const fastifyCached = await withFastifyJwt(Fastify(), key, { cache: JWTS })
  for (const token of tokens) fastifyCached.jwt.verify(token)
  const joseKey = await subtle.importKey(
    'raw',
    Buffer.from(HMAC_SECRET),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  )

  const first = join(folder, 'api-keys.sqlite3')
  const names = Array.from({ length: API_KEYS }, (_, index) => usernameAt(index))
  const apiKeys = await createApiKeys(first, names)
  const pickKey = seededPicks(4, API_KEYS)
  const nextKey = () => apiKeys[pickKey()]
  const unlimited = openBetterAuth(copyOf(first, 'unlimited'), { plugin: { rateLimit: { enabled: false } } })
  const deleting = openBetterAuth(copyOf(first, 'deleting'), { journal: 'delete' })
  const betterAuth = openBetterAuth(first)

  const passport = passportBearer(path)
  const requests = new Map(
    secrets.map((secret) => [secret, () => ({ headers: { authorization: `Bearer ${secret}` } })]),
  )
  const betterAuthSizes = { callsPerBatch: 5, batches: 40 }
  return {
    contenders: [
      awaited(BETTER_AUTH, nextKey, betterAuth.verify, betterAuthSizes),
      awaited('better-auth, its rate limit off', nextKey, unlimited.verify, betterAuthSizes),
      awaited('better-auth, SQLite in its own default mode', nextKey, deleting.verify, {
        callsPerBatch: 1,
        batches: 10,
      }),
      awaited('jose, jwtVerify', nextJwt, (token) => jwtVerify(token, joseKey, { algorithms: ['HS256'] })),
      synchronous('@fastify/jwt, verify', nextJwt, (token) => fastify.jwt.verify(token)),
      synchronous('@fastify/jwt, its cache on, seen before', nextJwt, (token) =>
        fastifyCached.jwt.verify(token),
      ),
      synchronous(
        PASSPORT,
        () => requests.get(nextSecret())(),
        (request) => admit(passport.middleware, request),
      ),
    ],
    close: async () => {
      for (const one of [betterAuth, unlimited, deleting, passport, fastify, fastifyCached]) await one.close()
    },
  }
}

/** A file that nobody has open. */
function copyOf(path, name) {
  const copy = path.replace('.sqlite3', `-${name}.sqlite3`)
  copyFileSync(path, copy)
  return copy
}

/** The middleware as Express calls it; it answers at once, since the look-up is synchronous. */
function admit(middleware, request) {
  let passed = false
  middleware(request, {}, () => {
    passed = true
  })
  if (!passed) throw new Error('passport has not let a good token through at once')
  return request.user
}

function openBare({ path, secrets, nextSecret }) {
  const records = new Map(secrets.map((secret) => [sha256(secret), { secret }]))
  const database = new Database(path)
  const lookUp = database.prepare(
    'SELECT tokens.*, users.* FROM tokens LEFT JOIN users ON users.id = tokens.user_id WHERE tokens.digest = ?',
  )
  const secretKey = createSecretKey(HMAC_SECRET, 'utf8')
  const signed = Buffer.alloc(220, 'x')
  return {
    contenders: [
      synchronous('limit: SHA-256, then Map.get', nextSecret, (secret) => records.get(sha256(secret))),
      synchronous(
        'limit: a bare prepared look-up',
        () => digestOf(nextSecret()),
        (digest) => lookUp.get(digest),
      ),
      synchronous(
        'limit: HMAC-SHA-256 of a JWT',
        () => signed,
        (text) => createHmac('sha256', secretKey).update(text).digest(),
      ),
    ],
    close: () => database.close(),
  }
}

function sha256(text) {
  return hash('sha256', text, 'base64')
}

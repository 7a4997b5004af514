/** An access token that was never seen: `jwts.authenticate` without its cache, once per algorithm. */
import { createHmac, createPublicKey, createSecretKey, subtle, verify } from 'node:crypto'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Fastify from 'fastify'
import { importSPKI, jwtVerify } from 'jose'
import { createLatchkey } from 'latchkey'
import { issueJwts, JWT_ALGORITHMS, jwtOptions, jwtsInMemory, newJwtKey } from '../lib/jwt-tokens.mjs'
import { median, pairedRatio, seededPicks } from '../lib/numbers.mjs'
import { importPeer } from '../lib/peers.mjs'
import { awaitedCalls, calls, takeTurns } from '../lib/timing.mjs'
import { createTokensDatabase, SERVER_SECRET } from '../lib/tokens-database.mjs'

const CALLS_PER_BATCH = 20
const BATCHES_PER_TURN = 100
const TOKENS = 1000
const USERS = 100
const TYPES = ['access']

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const JWT_COLD_ROWS = JWT_ALGORITHMS.map((algorithm) => ({
  name: `jwt-cold-${algorithm}`,
  title: `verify an ${algorithm} access token that was not seen before, in process`,
  unit: 'µs',
  limit: algorithm === 'HS256' ? 'one HMAC of the signed text' : 'one crypto.verify of the signed text',
  needsPeers: true,
  goals: [
    {
      of: 'timesBare',
      says: algorithm === 'HS256' ? 'times one bare HMAC' : 'times one bare crypto.verify',
      unit: '×',
      atMost: algorithm === 'HS256' ? 3 : 1.3,
    },
  ],
  run: (context) => measure(algorithm, context),
}))

async function measure(algorithm, { rounds, folder }) {
  const key = newJwtKey(algorithm)
  const tokens = await issueJwts(key, { tokens: TOKENS, users: USERS })
  const { latchkey: inMemory } = await jwtsInMemory(key, { users: USERS, cacheEntries: 0 })
  const path = join(folder, 'jwt.sqlite3')
  await createTokensDatabase(path, { tokens: 0, users: USERS })
  const store = sqlite(path)
  const onSqlite = createLatchkey({ store, secret: SERVER_SECRET, jwt: jwtOptions(key), cacheEntries: 0 })
  const { withFastifyJwt } = await importPeer('fastify-jwt')
  const fastify = await withFastifyJwt(Fastify(), key)
  const fastifyCached = await withFastifyJwt(Fastify(), key, { cache: TOKENS })

  const pick = seededPicks(1, TOKENS)
  const next = () => tokens[pick()]
  const parts = tokens.map(partsOf)
  const nextParts = () => parts[pick()]
  const bareVerify = bareVerifier(key)
  const joseKey = await joseKeyOf(key)
  for (const one of parts) if (!bareVerify(one)) throw new Error('the limit refuses what Latchkey signed')

  const before = store.statementCount
  await onSqlite.jwts.authenticate(tokens[0], TYPES)
  const statements = store.statementCount - before

  const series = await takeTurns({
    rounds,
    batchesPerTurn: BATCHES_PER_TURN,
    contenders: [
      {
        name: 'latchkey.jwts.authenticate, memory store',
        turn: awaitedCalls(CALLS_PER_BATCH, next, (token) => inMemory.jwts.authenticate(token, TYPES)),
      },
      {
        name: algorithm === 'HS256' ? 'limit: createHmac' : 'limit: crypto.verify',
        turn: calls(CALLS_PER_BATCH, nextParts, bareVerify),
      },
      {
        name: 'latchkey.jwts.authenticate, SQLite',
        turn: awaitedCalls(CALLS_PER_BATCH, next, (token) => onSqlite.jwts.authenticate(token, TYPES)),
      },
      {
        name: 'its two look-ups alone: revoked? and the user',
        turn: awaitedCalls(CALLS_PER_BATCH, nextParts, ({ jti, userId }) => lookUps(store, jti, userId)),
      },
      {
        name: 'jose, jwtVerify',
        of: 'peer',
        turn: awaitedCalls(CALLS_PER_BATCH, next, (token) =>
          jwtVerify(token, joseKey, { algorithms: [algorithm] }),
        ),
      },
      {
        name: '@fastify/jwt, verify',
        of: 'peer',
        turn: calls(CALLS_PER_BATCH, next, (token) => fastify.jwt.verify(token)),
      },
      {
        name: '@fastify/jwt, its cache on, seen before',
        of: 'peer',
        turn: calls(CALLS_PER_BATCH, next, (token) => fastifyCached.jwt.verify(token)),
      },
    ],
  })
  await inMemory.close()
  await onSqlite.close()
  await fastify.close()
  await fastifyCached.close()
  const [ours, limit, , , jose, fastJwt] = series
  return {
    series,
    values: {
      timesBare: pairedRatio(ours.rounds, limit.rounds),
      medianUs: median(ours.rounds),
      timesBareOfJose: pairedRatio(jose.rounds, limit.rounds),
      timesBareOfFastifyJwt: pairedRatio(fastJwt.rounds, limit.rounds),
      statementsOnSqlite: statements,
    },
  }
}

/** What the bare operation is given: nothing is left to be cut or decoded. */
function partsOf(token) {
  const signedText = token.slice(0, token.lastIndexOf('.'))
  const { jti, user_id } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  return {
    signed: Buffer.from(signedText),
    signature: Buffer.from(token.slice(signedText.length + 1), 'base64url'),
    jti,
    userId: Number(user_id),
  }
}

/** @param {import('../lib/jwt-tokens.mjs').JwtKey} key */
function bareVerifier({ algorithm, verifyWith }) {
  if (algorithm === 'HS256') {
    const secret = createSecretKey(verifyWith, 'utf8')
    return ({ signed, signature }) => createHmac('sha256', secret).update(signed).digest().equals(signature)
  }
  const key = createPublicKey(verifyWith)
  const how = algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  return ({ signed, signature }) => verify(digest, signed, how, signature)
}

/** As jose takes it without importing anything again. @param {import('../lib/jwt-tokens.mjs').JwtKey} key */
function joseKeyOf({ algorithm, verifyWith }) {
  if (algorithm !== 'HS256') return importSPKI(verifyWith, algorithm)
  return subtle.importKey('raw', Buffer.from(verifyWith), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ])
}

async function lookUps(store, jti, userId) {
  await store.jwts.state(jti, userId)
  if ((await store.users.findById(userId)) === null) throw new Error('a user of the database was not found')
}

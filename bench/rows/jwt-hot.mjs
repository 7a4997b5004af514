/** An access token that was seen lately: `jwts.authenticate` from its cache against one SHA-256. */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import Fastify from 'fastify'
import { createLatchkey } from 'latchkey'
import { expectHot } from '../lib/hot-tokens.mjs'
import { issueJwts, jwtOptions, newJwtKey } from '../lib/jwt-tokens.mjs'
import { median, pairedRatio, seededPicks } from '../lib/numbers.mjs'
import { importPeer } from '../lib/peers.mjs'
import { calls, takeTurns } from '../lib/timing.mjs'
import { createTokensDatabase, SERVER_SECRET } from '../lib/tokens-database.mjs'

const CALLS_PER_BATCH = 100
const TOKENS = 10_000
const USERS = 1000
const TYPES = ['access']

/** Kind -> further claims. The signature is not looked at any more, but the whole token is hashed: its length counts. */
const KINDS = {
  'a usual token': {},
  'one with many claims': { permissions: Array.from({ length: 40 }, (_, index) => `orders.change_${index}`) },
}

/** @type {import('../lib/row.mjs').Row} */
export const jwtHot = {
  name: 'jwt-hot',
  title: 'verify one of 10,000 access tokens that were seen lately, in process, SQLite behind',
  unit: 'µs',
  limit: 'one SHA-256 of the token, then Map.get',
  needsPeers: true,
  comparison: { series: ['latchkey.jwts.authenticate'], atMost: 1.02 },
  goals: [
    { of: 'slowestUs', says: 'median, of the kind that takes longest', unit: 'µs', atMost: 3 },
    { of: 'statements', says: 'SQL statements of all calls together', unit: '', atMost: 0 },
  ],
  async run({ rounds, folder }) {
    const key = newJwtKey('HS256')
    const path = join(folder, 'jwt.sqlite3')
    await createTokensDatabase(path, { tokens: 0, users: USERS })
    const store = sqlite(path)
    const latchkey = createLatchkey({ store, secret: SERVER_SECRET, jwt: jwtOptions(key) })
    const { withFastifyJwt } = await importPeer('fastify-jwt')
    const fastify = await withFastifyJwt(Fastify(), key, { cache: TOKENS })
    const kinds = []
    for (const [name, claims] of Object.entries(KINDS)) {
      const tokens = await issueJwts(key, { tokens: TOKENS, users: USERS, claims })
      for (const token of tokens) await latchkey.jwts.authenticate(token, TYPES)
      kinds.push({ name: `${name}, ${tokens[0].length} characters`, tokens, pick: seededPicks(1, TOKENS) })
    }
    const [usual] = kinds
    for (const token of usual.tokens) fastify.jwt.verify(token)
    const records = new Map(usual.tokens.map((token) => [sha256(token), { token }]))
    const contender = (name, { tokens, pick }, call) => ({
      name,
      turn: calls(CALLS_PER_BATCH, () => tokens[pick()], call),
    })

    const before = store.statementCount
    const series = await takeTurns({
      rounds,
      batchesPerTurn: 1000,
      contenders: [
        ...kinds.map((kind) =>
          contender(`latchkey.jwts.authenticate, ${kind.name}`, kind, (token) =>
            expectHot(latchkey.jwts.authenticate(token, TYPES)),
          ),
        ),
        contender('limit: SHA-256 of a usual token, then Map.get', usual, (token) =>
          records.get(sha256(token)),
        ),
        {
          of: 'peer',
          ...contender('@fastify/jwt, its cache on, a usual token', usual, (token) =>
            fastify.jwt.verify(token),
          ),
        },
      ],
    })
    const statements = store.statementCount - before
    await latchkey.close()
    await fastify.close()
    const [ours, long, limit, fastJwt] = series
    return {
      series,
      values: {
        slowestUs: Math.max(median(ours.rounds), median(long.rounds)),
        statements,
        timesLimit: pairedRatio(ours.rounds, limit.rounds),
        fastifyJwtTimesOurs: pairedRatio(fastJwt.rounds, ours.rounds),
      },
    }
  },
}

function sha256(text) {
  return hash('sha256', text, 'base64')
}

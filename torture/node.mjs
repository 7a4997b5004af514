/** One node of the torture run: routes that need a credential, and control routes by which the run gives and takes rights. */
import { createServer } from 'node:http'
import { postgres, sqlite } from '@latchkey/sql'
import { Redis } from 'ioredis'
import {
  createLatchkey,
  hasScope,
  isAuthenticated,
  jwtAuthentication,
  personalTokens,
  signingKey,
} from 'latchkey'
import { fromIncoming, writeResponse } from 'latchkey/node'
import { redisBroadcast } from 'latchkey/redis'

const { database, redisPort, channel, leaseSeconds, port } = JSON.parse(process.argv[2] ?? '{}')
const SECRET = 'the torture run has no secrets, and this is it'

const personal = personalTokens()
const latchkey = createLatchkey({
  store: database.startsWith('postgres://') ? postgres(database, postgresOptions()) : sqlite(database),
  secret: SECRET,
  policies: [personal.policy],
  authentication: [personal.authentication, jwtAuthentication({ headerTypes: ['JWT'] })],
  jwt: { signingKey: signingKey({ algorithm: 'HS256', key: SECRET }) },
  // What the run asks for is refused on purpose.
  onError: () => undefined,
})

const { tokens, users, jwts } = latchkey
const ok = () => ({})

/** What the run may order; an answer means that it is durable. */
const CONTROLS = {
  user: ({ username }) => users.create({ username }).then(({ id }) => ({ id })),
  token: async ({ userId, scopes }) => {
    const { token, secret } = await tokens.issue({ user: userId, policy: 'personal', scopes })
    return { id: token.id, authorization: `Bearer ${secret.reveal()}` }
  },
  jwt: async ({ userId }) => {
    const user = await users.get(userId)
    return { id: userId, authorization: `JWT ${(await jwts.issuePair(user)).access}` }
  },
  revoke: ({ id }) => tokens.revoke(id).then(ok),
  rotate: ({ id }) => tokens.rotate(id, { overlapSeconds: 0 }).then(ok),
  narrow: ({ id }) => tokens.update(id, { scopes: ['nothing'] }).then(ok),
  deactivate: ({ userId }) => users.update(userId, { isActive: false }).then(ok),
  logoutEverywhere: ({ userId }) => jwts.revokeUser(userId).then(ok),
}

/** With Redis the database wakes nobody, as behind a transaction pooler: Redis has to. */
function postgresOptions() {
  const options = { leaseSeconds, connectTimeoutMs: 1000, statementTimeoutMs: 2000 }
  if (redisPort === undefined) return options
  const redis = new Redis({ host: '127.0.0.1', port: redisPort, retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  return { ...options, transactionPooler: true, broadcast: redisBroadcast(redis, { channel }) }
}

const gates = {
  '/hello/': latchkey.gate([isAuthenticated]),
  '/orders/': latchkey.gate([hasScope('orders:read')]),
}

async function answer(request, response) {
  const gate = gates[request.url]
  if (gate !== undefined) {
    const { identity, refusal } = await gate(fromIncoming(request))
    if (refusal !== null) return writeResponse(response, refusal, request.method)
    return void response.end(identity.user.username)
  }
  const control = CONTROLS[request.url?.slice('/control/'.length)]
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const result = await control(JSON.parse(Buffer.concat(chunks).toString() || '{}'))
  response.end(JSON.stringify(result))
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.statusCode = error?.status ?? 500
    response.end(String(error?.code ?? error))
  })
})
server.keepAliveTimeout = 60_000
server.listen(port ?? 0, '127.0.0.1', () => process.send?.({ port: server.address().port }))
process.once('disconnect', () => process.exit(0))

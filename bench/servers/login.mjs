/** Login and `GET /hello/` as `latchkey serve` has them; and, on request, argon2id alone in this same process. */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { createApp, path, serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import { hashRaw } from '@node-rs/argon2'
import { apiView, createLatchkey, isAuthenticated } from 'latchkey'
import { answerParent } from '../lib/server-child.mjs'
import { SERVER_SECRET } from '../lib/tokens-database.mjs'

const { database, users, options } = JSON.parse(process.argv[2] ?? '{}')
const latchkey = createLatchkey({ store: sqlite(database), secret: SERVER_SECRET, ...options })
const tokens = []
for (const { username, password } of users) {
  const user = await latchkey.users.create({ username, password })
  tokens.push((await latchkey.tokens.issue({ user })).secret.reveal())
}
const hello = apiView({
  permissions: [isAuthenticated],
  get: ({ user }) => ({ message: `Hello, ${user.username}!` }),
})
const app = createApp(latchkey, [
  path('hello/', hello),
  path('api-token-auth/', latchkey.endpoints.obtainAuthToken),
])
const { url } = await serve({ app, host: '127.0.0.1', port: 0 })

/** As many at a time as the library's hash queue lets run by default (`HashQueueOptions.concurrency`). */
const CONCURRENCY = Math.max(
  1,
  Math.min(availableParallelism(), Number(process.env.UV_THREADPOOL_SIZE) || 4) - 1,
)
/** The library's default cost: argon2id, 19 MiB, 2 passes, 1 lane, 32 bytes. */
const COST = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 }

async function bareArgon2({ seconds }) {
  const password = Buffer.from(users[0].password)
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  let hashes = 0
  const lane = async () => {
    while (performance.now() < endMs) {
      await hashRaw(password, { ...COST, salt: randomBytes(22) })
      hashes += 1
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  return { rate: hashes / ((performance.now() - startedMs) / 1000), concurrency: CONCURRENCY }
}

answerParent(url, { tokens: () => ({ tokens }), argon2: bareArgon2 })

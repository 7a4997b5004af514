/** Login and `GET /hello/` as `latchkey serve` has them; and, on request, argon2id alone in this same process. */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { createApp, path, serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
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
/**
 * The library's default cost (argon2id, 19 MiB, 2 passes, 1 lane, 32 bytes), in a thread that does nothing else: the
 * peer's own `hashRaw` leaves a gap between two hashes, until the event loop has asked for the next.
 */
const BARE_THREAD = `
const { randomBytes } = require('node:crypto')
const { parentPort, workerData } = require('node:worker_threads')
const { hashRawSync } = require(workerData.peer)
const COST = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 }
parentPort.on('message', ({ password, seconds }) => {
  const endMs = performance.now() + seconds * 1000
  let hashes = 0
  while (performance.now() < endMs) {
    hashRawSync(password, { ...COST, salt: randomBytes(22) })
    hashes += 1
  }
  parentPort.postMessage(hashes)
})`
const peer = createRequire(import.meta.url).resolve('@node-rs/argon2')
const bareThreads = Array.from({ length: CONCURRENCY }, () => {
  const thread = new Worker(BARE_THREAD, { eval: true, workerData: { peer } })
  thread.unref()
  return thread
})

async function bareArgon2({ seconds }) {
  const startedMs = performance.now()
  const counts = bareThreads.map(async (thread) => {
    thread.postMessage({ password: users[0].password, seconds })
    const [hashes] = await once(thread, 'message')
    return hashes
  })
  const hashes = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  return { rate: hashes / ((performance.now() - startedMs) / 1000), concurrency: CONCURRENCY }
}

answerParent(url, { tokens: () => ({ tokens }), argon2: bareArgon2 })

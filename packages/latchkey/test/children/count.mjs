// Hits and merges of one key in Redis, each at a time of its own; prints what it was allowed, and how much it merged.
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { redisCounters } from 'latchkey/redis'
import { createClient } from 'redis'

const [kind, url, prefix] = process.argv.slice(2)
const client = kind === 'ioredis' ? new Redis(url) : await createClient({ url }).connect()
const counters = redisCounters(client, { prefix, timeoutMs: 30_000 })
await counters.peek('warm', { maxCount: 1, periodSeconds: 1 }, 0)
console.log('ready')
await createInterface(process.stdin)[Symbol.asyncIterator]().next()
const allowed = []
const limit = { maxCount: 5, periodSeconds: 1 }
const shared = { maxCount: 100_000, periodSeconds: 60 }
for (let step = 0; step < 200; step += 1) {
  const nowMs = 1_000_000 + step * 37 + Math.floor(Math.random() * 100)
  if ((await counters.hit('hit', limit, nowMs)).allowed) allowed.push(nowMs)
  const events = [{ atMs: nowMs % 7, count: 3 }]
  await counters.merge([{ key: 'merge', limit: shared, events }], 1000)
}
console.log(JSON.stringify(allowed))
await (kind === 'ioredis' ? client.disconnect() : client.close())
process.stdin.destroy()

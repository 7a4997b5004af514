// 100 batches of three keys, in another order each time; prints how many events it told of.
import { open, say, started } from './support.mjs'

const store = open()
await store.users.list()
say('ready')
await started()
const limit = { maxCount: 10_000, periodSeconds: 60 }
for (let step = 0; step < 100; step += 1) {
  const keys = step % 2 === 0 ? ['a', 'b', 'c'] : ['c', 'b', 'a']
  const batch = keys.map((key) => ({ key, limit, events: [{ atMs: 1_000_000 + (step % 5), count: 2 }] }))
  await store.counters.merge(batch, 1_000_000)
}
say(JSON.stringify(100 * 3 * 2))
await store.close()
process.stdin.destroy()

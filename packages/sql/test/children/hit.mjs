// 200 hits of one throttle key, each at a time of its own; prints the times of those allowed.
import { open, say, started } from './support.mjs'

const store = open()
await store.users.list()
say('ready')
await started()
const allowed = []
for (let step = 0; step < 200; step += 1) {
  const nowMs = 1_000_000 + step * 37 + Math.floor(Math.random() * 100)
  const outcome = await store.counters.hit('login', { maxCount: 5, periodSeconds: 1 }, nowMs)
  if (outcome.allowed) allowed.push(nowMs)
}
say(JSON.stringify(allowed))
await store.close()
process.stdin.destroy()

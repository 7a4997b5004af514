/** Nodes that do nothing but hear of changes: tells how many they heard of, and what that cost. See `changes.mjs`. */
import { openStore } from '../../lib/scale-databases.mjs'

const { place, nodes } = JSON.parse(process.argv[2] ?? '{}')
let heard = 0
let before = process.cpuUsage()
const stores = Array.from({ length: nodes }, () => openStore(place, { poolSize: 2 }))
for (const store of stores) {
  store.changes.subscribe(() => {
    heard += 1
  })
  // Connects, and begins to follow.
  await store.users.findById(1)
}

const ANSWERS = {
  begin: () => {
    heard = 0
    before = process.cpuUsage()
    return 'begun'
  },
  end: () => {
    const { user, system } = process.cpuUsage(before)
    return { heard, cpuUs: user + system }
  },
}
process.on('message', (question) => process.send?.(ANSWERS[question]()))
process.send?.('ready')

/** One of several processes that verify at the same time: warms up, waits for the word, tells its rate. See `processes.mjs`. */
import { once } from 'node:events'
import { createLatchkey } from 'latchkey'
import { openStore } from '../../lib/scale-databases.mjs'
import { SERVER_SECRET, secretAt } from '../../lib/tokens-database.mjs'
import { zipfPicks } from '../../lib/zipf.mjs'

const { place, tokens, seed, seconds } = JSON.parse(process.argv[2] ?? '{}')
const BATCH = 16
const latchkey = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
const pick = zipfPicks({ seed, tokens, exponent: 1 })

/** Made before, so that only verifying is measured. */
const WARMING = 200_000
const secrets = Array.from({ length: WARMING + 400_000 }, () => secretAt(pick()))

/** As a server does it: what is not in memory is waited for together. */
async function verifyBatch(from) {
  const waiting = []
  for (let index = from; index < from + BATCH; index += 1) {
    const answer = latchkey.tokens.verify(secrets[index])
    if (answer instanceof Promise) waiting.push(answer)
  }
  if (waiting.length > 0) await Promise.all(waiting)
  await new Promise((resolve) => setImmediate(resolve))
}

for (let at = 0; at < WARMING; at += BATCH) await verifyBatch(at)
process.send?.('ready')
await once(process, 'message')
const startedMs = performance.now()
let verified = 0
while (performance.now() - startedMs < seconds * 1000 && WARMING + verified < secrets.length) {
  await verifyBatch(WARMING + verified)
  verified += BATCH
}
const rate = verified / ((performance.now() - startedMs) / 1000)
process.send?.({ rate })
await latchkey.close()
process.disconnect?.()

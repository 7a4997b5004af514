/** Asks for one token again and again until it is refused, or listens on a bare channel: says when. See `rows/revocation.mjs`. */
import { createLatchkey } from 'latchkey'
import pg from 'pg'
import { openStore } from '../lib/scale-databases.mjs'
import { SERVER_SECRET } from '../lib/tokens-database.mjs'

const { place, listenOn } = JSON.parse(process.argv[2] ?? '{}')

if (listenOn === undefined) {
  const latchkey = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
  process.on('message', async ({ secret }) => {
    await latchkey.tokens.verify(secret)
    process.send?.('hot')
    await refusal(latchkey, secret)
    process.send?.({ at: String(process.hrtime.bigint()) })
  })
} else {
  const client = new pg.Client({ connectionString: listenOn })
  await client.connect()
  client.on('notification', () => process.send?.({ at: String(process.hrtime.bigint()) }))
  await client.query('LISTEN latchkey_bench')
}
process.send?.('ready')

/** Once in each turn of the event loop, so that the process hears of everything meanwhile. */
async function refusal({ tokens }, secret) {
  for (;;) {
    try {
      await tokens.verify(secret)
    } catch {
      return
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

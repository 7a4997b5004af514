/** A process that opens a store and verifies one token: says how long that took, from its very start. See `sizes.mjs`. */
import { createLatchkey } from 'latchkey'
import { openStore } from '../../lib/scale-databases.mjs'
import { SERVER_SECRET } from '../../lib/tokens-database.mjs'

const { place, secret } = JSON.parse(process.argv[2] ?? '{}')
const latchkey = createLatchkey({ store: openStore(place), secret: SERVER_SECRET })
await latchkey.tokens.verify(secret)
process.send?.({ ms: performance.now() })
await latchkey.close()
process.disconnect?.()

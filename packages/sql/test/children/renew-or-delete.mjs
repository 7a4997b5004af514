// Renews or deletes every token that is there, one after the other; prints how many it changed.
import { args, open, say, started } from './support.mjs'

const store = open()
const tokens = await store.tokens.list({})
say('ready')
await started()
let changed = 0
for (const { id, expiresAt } of tokens) {
  const did =
    args[0] === 'renew'
      ? await store.tokens.renew(id, expiresAt, new Date(9000))
      : await store.tokens.delete(id)
  if (did) changed += 1
}
say(JSON.stringify(changed))
await store.close()
process.stdin.destroy()

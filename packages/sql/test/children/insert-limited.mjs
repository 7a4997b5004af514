// 50 parallel logins of user 1, who may have 10 tokens; prints how many were created.
import { args, newToken, open, say, started } from './support.mjs'

const store = open()
await store.users.list()
say('ready')
await started()
const firstNumber = Number(args[0])
const outcomes = await Promise.all(
  Array.from({ length: 50 }, (_, index) =>
    store.tokens.insertOrGet(
      newToken(1, firstNumber + index, { limitPerUser: 10, expiresAt: new Date(5000) }),
    ),
  ),
)
say(JSON.stringify(outcomes.filter((outcome) => outcome.kind === 'created').length))
await store.close()
process.stdin.destroy()

// 50 parallel insertOrGet of the one token of user 1; prints how many created, and the id that all of them got.
import { args, newToken, open, say, started } from './support.mjs'

const store = open()
await store.users.list()
say('ready')
await started()
const firstNumber = Number(args[0])
const outcomes = await Promise.all(
  Array.from({ length: 50 }, (_, index) =>
    store.tokens.insertOrGet(newToken(1, firstNumber + index, { policy: 'authtoken', onePerUser: true })),
  ),
)
const created = outcomes.filter((outcome) => outcome.kind === 'created').length
say(JSON.stringify({ created, ids: [...new Set(outcomes.map((outcome) => outcome.token.id))] }))
await store.close()
process.stdin.destroy()

// Writes tokens until it is killed: prints "+ id" for each acknowledged insertion and "- id" for each revocation.
import { args, newToken, open, say } from './support.mjs'

const store = open()
for (let number = Number(args[0]); ; number += 1) {
  const { token } = await store.tokens.insertOrGet(newToken(1, number))
  say(`+ ${token.id}`)
  if (number % 3 === 0) {
    await store.tokens.delete(token.id)
    say(`- ${token.id}`)
  }
}

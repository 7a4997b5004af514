// For each line of standard input, a refresh token: 4 parallel refreshes; prints the successors, or the refusal's code.
import { createInterface } from 'node:readline'
import { createLatchkey, signingKey } from 'latchkey'
import { open, say } from './support.mjs'

const store = open()
const { jwts } = createLatchkey({
  store,
  secret: 'a secret of at least thirty-two characters',
  jwt: {
    signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
    rotateRefresh: true,
    blacklistAfterRotation: true,
  },
})
await store.users.list()
say('ready')
for await (const token of createInterface(process.stdin)) {
  if (token === 'end') break
  const refresh = () =>
    jwts.refresh(token).then(
      (answer) => answer.refresh,
      (error) => error.code,
    )
  say(JSON.stringify(await Promise.all([refresh(), refresh(), refresh(), refresh()])))
}
await store.close()
process.stdin.destroy()

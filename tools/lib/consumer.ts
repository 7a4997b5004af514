/** What a stranger's first file does with the packed packages; check-pack compiles it strictly and runs it. */
import { serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import { apiView, createLatchkey, isAuthenticated, isLatchkeyError, tokenAuthentication } from 'latchkey'
import { express } from 'latchkey/express'
import { fetchHandler } from 'latchkey/fetch'
import { hono } from 'latchkey/hono'
import { fixedClock } from 'latchkey/testing'

const latchkey = createLatchkey({
  store: sqlite('consumer.sqlite3'),
  secret: 'a secret of this test only, long enough to seal',
  authentication: [tokenAuthentication()],
})
const user = await latchkey.users.create({ username: 'vitor', password: 'correct horse battery staple' })
const { secret } = await latchkey.tokens.issue({ user })
const identity = await latchkey.tokens.verify(secret.reveal())
if (identity.user.username !== 'vitor') throw new Error('the token is not the token of vitor')

const hello = fetchHandler(
  latchkey.handler(
    apiView({
      permissions: [isAuthenticated],
      get: (request) => ({ message: `Hello, ${request.user.username}!` }),
    }),
  ),
)
const ask = (token?: string) =>
  hello(new Request('http://localhost/hello/', token ? { headers: { Authorization: `Token ${token}` } } : {}))
const [refused, answered] = [await ask(), await ask(secret.reveal())]
if (refused.status !== 401) throw new Error(`without a token: ${refused.status}, not 401`)
if (answered.status !== 200) throw new Error(`with a token: ${answered.status}, not 200`)

await latchkey.tokens.revokeAll({ user })
const after = await ask(secret.reveal())
if (after.status !== 401) throw new Error(`with a revoked token: ${after.status}, not 401`)

const present = [serve, express.guard, hono.guard, fixedClock, isLatchkeyError].every(
  (it) => typeof it === 'function',
)
if (!present) throw new Error('a subpath lacks what it documents')
await latchkey.close()
console.log('consumer: ok')

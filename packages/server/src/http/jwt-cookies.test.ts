import {
  apiView,
  createLatchkey,
  isAuthenticated,
  jwtAuthentication,
  memoryStore,
  signingKey,
  tokenObtainPair,
} from 'latchkey'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApp } from './app.js'
import { type RunningServer, serve } from './serve.js'
import { path } from './urls.js'

const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  jwt: {
    signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
    cookies: { secure: false },
  },
})
let server: RunningServer

beforeAll(async () => {
  await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
  const hello = apiView(['GET', 'POST'], ({ user }) => ({ hello: user.username }), {
    authentication: [jwtAuthentication({ cookies: true })],
    permissions: [isAuthenticated],
  })
  const app = createApp(latchkey, [path('login/', tokenObtainPair({ cookies: true })), path('hello/', hello)])
  server = await serve({ app, host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await latchkey.close()
})

it('logs a browser in by cookies, and takes writes of its own pages alone', async () => {
  const login = await fetch(`${server.url}/login/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: server.url },
    body: JSON.stringify({ username: 'vitor', password: 'open sesame 1' }),
  })
  expect(await login.text()).toBe('{}')
  const lines = login.headers.getSetCookie()
  expect(lines.map((line) => line.split('=')[0])).toEqual(['jwt_access', 'jwt_refresh', 'csrftoken'])

  const cookie = lines.map((line) => line.split(';')[0]).join('; ')
  const token = /csrftoken=(\w+)/.exec(cookie)?.[1] ?? ''
  const write = async (headers: Record<string, string>) =>
    (await fetch(`${server.url}/hello/`, { method: 'POST', headers: { cookie, ...headers } })).status
  expect(await write({ 'x-csrftoken': token, origin: server.url })).toBe(200)
  expect(await write({ 'x-csrftoken': token, origin: 'http://evil.example' })).toBe(403)
  expect(await write({ origin: server.url })).toBe(403)
})

it('refuses a cookie of 100 KB without reading it', async () => {
  const headers = { cookie: `jwt_access=${'x'.repeat(102_400)}` }
  expect((await fetch(`${server.url}/hello/`, { headers })).status).toBe(431)
})

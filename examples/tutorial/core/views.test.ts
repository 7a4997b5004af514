/** What the tutorial's first half promises, asked over the very list of urls that is served. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openProject, PASSWORD } from '../testing.js'

let project: Awaited<ReturnType<typeof openProject>>
beforeEach(async () => {
  project = await openProject()
})
afterEach(() => project.close())

it('asks who is there: 401 with a challenge', async () => {
  const answer = await project.ask('/hello/')
  expect(answer.status).toBe(401)
  expect(answer.headers.get('WWW-Authenticate')).toBe('Token')
  expect(await answer.json()).toEqual({ detail: 'Authentication credentials were not provided.' })
})

it('greets the holder of a token that was issued on the command line', async () => {
  const { secret } = await project.latchkey.tokens.getOrCreate({ user: project.vitor })
  const answer = await project.ask('/hello/', secret.reveal())
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({ message: 'Hello, World!' })
})

it('exchanges username and password for a token, the same one every time', async () => {
  const first = await project.post('/api-token-auth/', { username: 'vitor', password: PASSWORD })
  expect(first.status).toBe(200)
  expect(first.headers.get('Cache-Control')).toBe('no-store')
  const { token } = (await first.json()) as { token: string }
  expect(token).toMatch(/^[0-9a-f]{40}$/)
  expect((await project.ask('/hello/', token)).status).toBe(200)

  const json = JSON.stringify({ username: 'vitor', password: PASSWORD })
  const headers = { 'Content-Type': 'application/json' }
  const again = await project.app.request('/api-token-auth/', { method: 'POST', body: json, headers })
  expect(await again.json()).toEqual({ token })
})

it.each([
  ['a wrong password', { username: 'vitor', password: 'wrong' }],
  ['an unknown user', { username: 'nobody', password: PASSWORD }],
])('gives no token for %s', async (_, credentials) => {
  const answer = await project.post('/api-token-auth/', credentials)
  expect(answer.status).toBe(400)
  expect(await answer.json()).toEqual({ non_field_errors: ['Unable to log in with provided credentials.'] })
})

it('says which field is missing', async () => {
  const answer = await project.post('/api-token-auth/', { username: 'vitor' })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toEqual({ password: ['This field is required.'] })
})

it('refuses an unknown token, and a revoked one from the next request on', async () => {
  const refusal = { detail: 'Invalid token.' }
  const unknown = await project.ask('/hello/', '0'.repeat(40))
  expect([unknown.status, await unknown.json()]).toEqual([401, refusal])

  const { token, secret } = await project.latchkey.tokens.issue({ user: project.vitor })
  expect((await project.ask('/hello/', secret.reveal())).status).toBe(200)
  await project.latchkey.tokens.revoke(token)
  const revoked = await project.ask('/hello/', secret.reveal())
  expect([revoked.status, await revoked.json()]).toEqual([401, refusal])
})

it('lets an inactive user neither in nor log in', async () => {
  const { secret } = await project.latchkey.tokens.issue({ user: project.vitor })
  await project.latchkey.users.deactivate(project.vitor)
  const answer = await project.ask('/hello/', secret.reveal())
  expect([answer.status, await answer.json()]).toEqual([401, { detail: 'User inactive or deleted.' }])
  const login = await project.post('/api-token-auth/', { username: 'vitor', password: PASSWORD })
  expect(login.status).toBe(400)
})

it('answers HEAD as GET without the body, and 405 to what the view has not', async () => {
  const { secret } = await project.latchkey.tokens.issue({ user: project.vitor })
  const head = await project.ask('/hello/', secret.reveal(), 'HEAD')
  expect([head.status, await head.text()]).toEqual([200, ''])
  const removed = await project.ask('/hello/', secret.reveal(), 'DELETE')
  expect([removed.status, await removed.json()]).toEqual([405, { detail: 'Method "DELETE" not allowed.' }])
  expect(removed.headers.get('Allow')).toBe('GET, HEAD, OPTIONS')
})

/** What the tutorial's second half promises of a login view that somebody wrote by hand. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openProject, PASSWORD } from '../testing.js'

let project: Awaited<ReturnType<typeof openProject>>
beforeEach(async () => {
  project = await openProject()
})
afterEach(() => project.close())

const RIGHT = { username: 'vitor', password: PASSWORD }

async function logIn(): Promise<string> {
  const answer = await project.post('/classic/login/', RIGHT)
  expect(answer.status).toBe(200)
  const { token } = (await answer.json()) as { token: string }
  return token
}

it('answers the right password with the token that the ready-made endpoint gives too', async () => {
  const token = await logIn()
  const readyMade = await project.post('/api-token-auth/', RIGHT)
  expect(await readyMade.json()).toEqual({ token })
})

it('greets the holder of the token by name, and asks everybody else who they are', async () => {
  const greeted = await project.ask('/classic/hello/', await logIn())
  expect([greeted.status, await greeted.json()]).toEqual([200, { message: 'Hello, vitor!' }])
  const asked = await project.ask('/classic/hello/')
  expect([asked.status, asked.headers.get('WWW-Authenticate')]).toEqual([401, 'Token'])
})

it('keeps every answer of the login out of caches', async () => {
  const right = await project.post('/classic/login/', RIGHT)
  const wrong = await project.post('/classic/login/', { ...RIGHT, password: 'wrong' })
  for (const answer of [right, wrong]) expect(answer.headers.get('Cache-Control')).toBe('no-store')
})

it('refuses a wrong password, an unknown user and an inactive one in the same words', async () => {
  const refusal = { non_field_errors: ['Unable to log in with provided credentials.'] }
  const wrong = await project.post('/classic/login/', { ...RIGHT, password: 'wrong' })
  const unknown = await project.post('/classic/login/', { ...RIGHT, username: 'nobody' })
  await project.latchkey.users.deactivate(project.vitor)
  const inactive = await project.post('/classic/login/', RIGHT)
  for (const answer of [wrong, unknown, inactive]) {
    expect([answer.status, await answer.json()]).toEqual([400, refusal])
  }
})

it('logs in whoever sends an old token along', async () => {
  const answer = await project.post('/classic/login/', RIGHT, { Authorization: `Token ${'0'.repeat(40)}` })
  expect(answer.status).toBe(200)
})

it('stops guessing after ten wrong passwords in a minute', async () => {
  const guess = () => project.post('/classic/login/', { ...RIGHT, password: 'wrong' })
  for (let count = 0; count < 10; count += 1) expect((await guess()).status).toBe(400)
  const refused = await guess()
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
})

it('takes POST only', async () => {
  const answer = await project.ask('/classic/login/')
  expect(answer.status).toBe(405)
  expect(answer.headers.get('Allow')).toBe('POST, OPTIONS')
})

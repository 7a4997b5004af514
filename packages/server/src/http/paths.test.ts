/** Over real sockets: permissions of a project see the path that was routed, and no path makes a second log line. */
import { type AddressInfo, connect } from 'node:net'
import { apiView, createLatchkey, memoryStore, permission } from 'latchkey'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { createApp } from './app.js'
import { type RunningServer, serve } from './serve.js'
import { path } from './urls.js'

const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
})
const forStaff = permission(
  'ForStaff',
  ({ user }, request) => !request.path.startsWith('/internal/') || user?.isStaff === true,
)
const report = apiView({
  permissions: [forStaff],
  get: (request) => ({ path: request.path, rawPath: request.rawPath, name: request.params.name }),
})
const fails = apiView({
  permissions: [forStaff],
  get: () => Promise.reject(new Error('a\nlatchkey: forged')),
})
let server: RunningServer

beforeAll(async () => {
  const app = createApp(latchkey, [
    path('internal/report/', report),
    path('files/:name/', report),
    path(':section/report/', report),
    path('fails/:name/', fails),
    path('breaks/:name/', () => Promise.reject(new Error('a\nlatchkey: forged'))),
  ])
  server = await serve({ app, host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await latchkey.close()
})
afterEach(() => vi.restoreAllMocks())

function ask(target: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port) satisfies AddressInfo['port'], '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject).on('close', () => {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      resolve({ status: Number(head.split(' ', 2)[1]), body })
    })
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  })
}

it.each([
  '/internal/report/',
  '/%69nternal/report/',
  '/%69%6e%74%65%72%6e%61%6c/%72eport/',
  '/internal%2Freport/',
  '//internal/report/',
  '/./internal/report/',
  '/x/../internal/report/',
  '/x%2F..%2Finternal/report/',
  '/x%5c..%5cinternal/report/',
  '/internal/report/#x',
  '/\\internal/report/',
  'http://x/%69nternal/report/',
])('shows no stranger the report of staff at %s', async (target) => {
  const { status, body } = await ask(target)
  expect([400, 401, 403, 404]).toContain(status)
  expect(body).not.toContain('"path"')
})

it.each([
  ['/files/caf%C3%A9/', '/files/café/', 'café'],
  ['/files/a%2540/', '/files/a%40/', 'a%40'],
  ['/files/%ff/', '/files/%ff/', '%ff'],
  ['/files/100%/', '/files/100%/', '100%'],
])('decodes %s once, as the parameters', async (target, decoded, name) => {
  const { status, body } = await ask(target)
  expect([status, JSON.parse(body)]).toMatchObject([200, { path: decoded, name }])
})

it.each(['/fails/', '/breaks/'])('writes one log entry for a failure at %s', async (prefix) => {
  const lines = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const target = `${prefix}x%0alatchkey:%20forged%1b[2J%e2%80%ae/`
  expect((await ask(target)).status).toBe(500)
  expect(lines).toHaveBeenCalledTimes(1)
  const [entry] = lines.mock.calls[0] ?? []
  expect(entry).toMatch(/^latchkey: GET \/\w+\/x\\u000alatchkey: forged\\u001b\[2J\\u202e\/: Error: a$/m)
  for (const line of String(entry).split('\n').slice(1)) expect(line).toMatch(/^ {4}/)
})

/**
 * The server under test: the recorded routes on a fresh SQLite file per case, with the reset and control routes that
 * exist only here. Started once per profile by `run.mjs`; prints its URL when it answers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp, serve } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import { Hono } from 'hono'
import { browsableRenderer, createLatchkey, jsonRenderer, type Latchkey } from 'latchkey'
import { CONTROLS, type Control, hashUsers, loadFixtures, readFixtures } from './fixtures.js'
import { jwtOptions } from './jwt.js'
import { knoxPolicy } from './knox.js'
import { settings } from './settings.js'
import { urlpatterns } from './urls.js'

const [, , casesFile = 'conformance/cases.json'] = process.argv
const fixtures = readFixtures(casesFile)
const folder = mkdtempSync(join(tmpdir(), 'latchkey-conformance-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))

let files = 0
function openStore() {
  files += 1
  return sqlite(join(folder, `${files}.sqlite3`), { synchronous: 'normal' })
}

const hashingStore = openStore()
const users = await hashUsers(fixtures, hashingStore)
await hashingStore.close()

let latchkey: Latchkey
let app: Hono
await reset()

async function reset(): Promise<void> {
  await latchkey?.close()
  const store = openStore()
  latchkey = createLatchkey({
    store,
    secret: 'conformance secret, known to everybody',
    loginRate: null,
    renderers: settings.browsableApi ? [jsonRenderer(), browsableRenderer()] : [jsonRenderer()],
    jwt: jwtOptions(fixtures.jwtSigningKey),
    policies: [knoxPolicy],
  })
  await loadFixtures(latchkey, store, fixtures, users)
  app = createApp(latchkey, urlpatterns)
}

const server = new Hono()
server.post('/test/reset', async (context) => {
  await reset()
  return context.body(null, 204)
})
server.post('/test/control', async (context) => {
  const control = (await context.req.json()) as Control
  const operation = CONTROLS[control.op]
  if (operation === undefined) return context.json({ detail: `unknown operation ${control.op}` }, 400)
  await operation(latchkey, control)
  return context.body(null, 204)
})
server.all('*', (context) => app.fetch(context.req.raw, context.env))

const { url } = await serve({ app: server, host: '127.0.0.1', port: 0 })
console.log(url)

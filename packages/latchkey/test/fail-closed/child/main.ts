/**
 * The child process: a host program that has changed its process, and an app that serves every route of the plan.
 * Arguments: name of the host, order, folder for files, folder of the second copy. Prints `port N` when it serves.
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { HOSTILE_HOSTS } from '../hostile-hosts.js'
import { DOORS, OWN_DOORS, routeOf, visits } from '../plan.js'
import { type App, createApp } from './app.js'
import { openDoor } from './doors.js'
import { foreignStore } from './foreign.js'
import { type Kit, loadFrameworks, loadKit } from './kit.js'

const [, , hostName, order, folder = '', copyFolder = ''] = process.argv
const host = HOSTILE_HOSTS.find(({ name }) => name === hostName)
if (host === undefined) throw new Error(`there is no host ${hostName}`)
const { copies } = host
const doors = host.withoutFrameworks ? OWN_DOORS : DOORS

process.stdin.resume().on('close', () => process.exit(1))

if (order === 'before the import') host.install()
const kit: Kit = await loadKit(copies, copyFolder)
const frameworks = host.withoutFrameworks ? null : await loadFrameworks(copies, copyFolder)
if (order === 'before the app is made') host.install()

/** Lines `path user id frozen`, and of the log: kept as text, for a host may change how objects are written. */
let reached = ''
let logged = ''
const log = (line: string) => {
  logged += `${line.replace(/\s+/g, ' ').slice(0, 500)}\n`
}
const reach = (path: string, { user, identity }: { user: unknown; identity: unknown }) => {
  const isObject = typeof user === 'object' && user !== null
  const isFrozen = (!isObject || Object.isFrozen(user)) && (identity === null || Object.isFrozen(identity))
  const name = isObject ? String(Reflect.get(user, 'username')) : String(user)
  const id = isObject ? String(Reflect.get(user, 'id')) : ''
  reached += `${path}\t${name}\t${id}\t${isFrozen}\n`
}

const foreign = (store: ReturnType<Kit['memoryStore']>) => (host.foreignStore ? foreignStore(store) : store)
const apps: ReadonlyArray<readonly [string, App]> = [
  ['hot', await createApp(kit, { store: foreign(kit.memoryStore()), cacheEntries: 1000, log })],
  [
    'cold',
    await createApp(kit, { store: foreign(kit.sqlite(join(folder, 'db.sqlite3'))), cacheEntries: 0, log }),
  ],
]

/** `/hot/gate/token/isAuthenticated` -> what serves it. */
const routes = new Map<string, RequestListener>()
for (const [temperature, { latchkeys, permissions }] of apps) {
  for (const visit of visits(doors)) {
    const { door, authenticator, permission } = visit
    const path = routeOf(temperature, visit)
    const latchkey = latchkeys.get(authenticator)
    if (routes.has(path) || latchkey === undefined) continue
    const context = { kit, latchkey, permissions: permissions[permission], reach, log }
    routes.set(path, await openDoor(door, context, frameworks))
  }
}

const control: Readonly<Record<string, () => string>> = {
  '/headers': () => {
    let lines = ''
    for (const [temperature, { headers }] of apps) {
      for (const [name, values] of headers) {
        for (const [header, value] of values) lines += `${temperature}\t${name}\t${header}\t${value}\n`
      }
    }
    return lines
  },
  '/ids': () => {
    let lines = ''
    for (const [temperature, { ids }] of apps) {
      for (const [username, id] of ids) lines += `${temperature}\t${username}\t${id}\n`
    }
    return lines
  },
  '/install': () => {
    host.install()
    return ''
  },
  '/reached': () => reached,
  '/log': () => logged,
}

const server = createServer((request, response) => {
  const url = request.url ?? ''
  const answer = control[url]
  if (answer !== undefined) return void response.end(answer())
  const route = routes.get(url.slice(0, url.lastIndexOf('/')))
  if (route === undefined) return void response.writeHead(404).end()
  route(request, response)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))

/** Django REST framework under gunicorn, as a contestant: `servers/drf/`, on Python packages that are there or are not. */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { run } from '../../tools/lib/run.mjs'
import { holdToCore } from './cores.mjs'

const FOLDER = fileURLToPath(new URL('../servers/drf/', import.meta.url))
/** The system's own first: Debian's packages are not seen by another Python. */
const PYTHONS = ['/usr/bin/python3', 'python3']
/** Two workers, of the class that keeps connections. */
const GUNICORN = [
  ...['--bind', '127.0.0.1:0', '--workers', '2', '--worker-class', 'gthread', '--threads', '4'],
  ...['--keep-alive', '75', 'wsgi:application'],
]

/** What `servers/drf/` can be run with. @returns {string | null} */
export function pythonWithDrf() {
  return PYTHONS.find((python) => knows(python, 'django, rest_framework, gunicorn')) ?? null
}

function knows(python, modules) {
  return spawnSync(python, ['-c', `import ${modules}`]).status === 0
}

/** Django's words for a new SQLite file. @param {string} folder */
export function sqliteDatabase(folder) {
  return { settings: { ENGINE: 'django.db.backends.sqlite3', NAME: join(folder, 'drf.sqlite3') } }
}

/**
 * Django's words for a new database in a running PostgreSQL; null when none answers, or Python cannot ask it.
 * @param {string} python
 * @returns {Promise<{ settings: object, drop: () => Promise<void> } | null>}
 */
export async function postgresDatabase(python) {
  if (!knows(python, 'psycopg2')) return null
  const url = process.env.LATCHKEY_TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  const name = `latchkey_bench_${randomBytes(6).toString('hex')}`
  try {
    await client.connect()
    await client.query(`CREATE DATABASE ${name}`)
  } catch {
    await client.end().catch(() => undefined)
    return null
  }
  const { hostname, port, username, password } = new URL(url)
  return {
    settings: {
      ENGINE: 'django.db.backends.postgresql',
      NAME: name,
      HOST: hostname,
      PORT: port,
      USER: decodeURIComponent(username),
      PASSWORD: decodeURIComponent(password),
    },
    drop: async () => {
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
      await client.end()
    },
  }
}

/** Creates tables, users and their tokens. @param {string} python @param {object} settings @param {string} lines `username secret` */
export async function prepareDrf(python, settings, lines) {
  const options = { cwd: FOLDER, env: environment(settings), input: lines, capture: true }
  const { code, output } = await run(python, ['prepare.py'], options)
  if (code !== 0) throw new Error(`Django could not be prepared:\n${output}`)
}

/**
 * A contestant's `start`: the workers share both cores with the load.
 * @param {string} python
 * @param {object} settings
 */
export function startDrf(python, settings) {
  return async () => {
    const child = spawn(python, ['-m', 'gunicorn', ...GUNICORN], {
      cwd: FOLDER,
      env: environment(settings),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    holdToCore(child.pid, 'both')
    const end = () => child.kill()
    process.once('exit', end)
    const url = await addressOf(child)
    return {
      url,
      cpuUs: async () => cpuUsOf(child.pid),
      stop: () =>
        new Promise((resolve) => {
          process.off('exit', end)
          child.once('exit', () => resolve())
          child.kill()
        }),
    }
  }
}

function environment(settings) {
  return {
    ...process.env,
    BENCH_DATABASE: JSON.stringify(settings),
    PYTHONDONTWRITEBYTECODE: '1',
  }
}

/** gunicorn tells it among other things. */
function addressOf(child) {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (more) => {
      text += more
      const address = /Listening at: (http:\S+)/.exec(text)?.[1]
      if (address !== undefined) resolve(address)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`gunicorn ended with ${code}:\n${text}`)))
  })
}

/** User and system time of a process and its children, in the ticks of which Linux counts a hundred a second. */
function cpuUsOf(parent) {
  if (platform() !== 'linux') return Number.NaN
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean)
  const ticks = [parent, ...children].map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return Number(user) + Number(system)
  })
  return ticks.reduce((sum, one) => sum + one, 0) * 10_000
}

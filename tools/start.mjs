/** Prevents a first hour of set-up: `npm start` on a fresh clone ends with an API that answers. Built-ins only. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureInstalled, ROOT } from './ensure-installed.mjs'
import { run } from './lib/run.mjs'

const HOST = '127.0.0.1'
const USAGE = 'Usage: npm start -- [--port 8000] [--data .latchkey]'
/** Of the demo database only, which no other machine can reach. */
const DEMO = { username: 'vitor', password: 'correct horse battery staple' }
const CLI = join(ROOT, 'packages/server/bin/latchkey.js')
const PROJECT = join(ROOT, 'examples/tutorial')

/** A mistake of the person at the keyboard, or of the machine: one line, no stack. */
class Stop extends Error {}

function readOptions() {
  const options = {
    port: { type: 'string' },
    data: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  }
  let values
  try {
    values = parseArgs({ options }).values
  } catch (error) {
    throw new Stop(`${error.message}\n${USAGE}`)
  }
  if (values.help) return null
  const port = Number(values.port ?? (process.env.PORT || 8000))
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Stop('--port: must be a number from 1 to 65535')
  return { port, data: resolve(ROOT, values.data ?? '.latchkey') }
}

/** Asked first: nobody should wait for a build to read that the port is taken. */
function refuseTakenPort(port) {
  return new Promise((done, fail) => {
    const probe = createServer()
    probe.once('error', (error) => {
      const taken = `Port ${port} is taken; choose another: npm start -- --port ${port === 65_535 ? 8000 : port + 1}`
      fail(new Stop(error.code === 'EADDRINUSE' ? taken : `Port ${port} cannot be used: ${error.code}`))
    })
    probe.listen(port, HOST, () => probe.close(() => done()))
  })
}

/** Settings of the demo, and no others that happen to be in the shell: its own database, its own secret beside it. */
function demoEnvironment(data) {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('LATCHKEY_'))
  return {
    ...Object.fromEntries(own),
    NODE_ENV: 'development',
    LATCHKEY_DATABASE: join(data, 'demo.sqlite3'),
    LATCHKEY_SECRET_FILE: join(data, 'demo.secret'),
  }
}

async function prepare(env) {
  console.log('Building (the first build takes a few seconds).')
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const built = await run(process.execPath, [tsc, '-b'], { cwd: ROOT })
  if (built.code !== 0) throw new Stop('The build failed; its messages are above.')
  const latchkey = (args, input) =>
    run(process.execPath, [CLI, ...args], { cwd: PROJECT, env, capture: true, input })
  console.log(`Migrating ${env.LATCHKEY_DATABASE}.`)
  const migrated = await latchkey(['migrate'])
  if (migrated.code !== 0) throw new Stop(`latchkey migrate failed:\n${migrated.output.trim()}`)
  const create = ['user', 'create', '--username', DEMO.username, '--password-stdin']
  const created = await latchkey(create, `${DEMO.password}\n`)
  const found = created.output.includes('already exists')
  if (created.code !== 0 && !found) throw new Stop(`latchkey user create failed:\n${created.output.trim()}`)
  console.log(found ? `The demo user ${DEMO.username} is there.` : `Created the demo user ${DEMO.username}.`)
}

/** Serves until Ctrl-C; resolves with the exit code. The help is printed once the port answers. */
function serve(env, port) {
  const child = spawn(process.execPath, [CLI, 'serve', '--host', HOST, '--port', String(port)], {
    cwd: PROJECT,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C reaches the server as well, and a second signal would cut off its last answers: it gets a moment.
      if (!stopping) setTimeout(() => child.kill('SIGTERM'), 500).unref()
      stopping = true
    })
  }
  void answers(`http://${HOST}:${port}/hello/`, () => child.exitCode !== null).then((ready) => {
    if (ready) console.log(nextSteps(`http://${HOST}:${port}`))
  })
  return new Promise((done) => child.on('exit', (code) => done(stopping ? 0 : (code ?? 1))))
}

async function answers(url, ended) {
  while (!ended()) {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null)
    await response?.body?.cancel()
    if (response) return !ended()
    await new Promise((again) => setTimeout(again, 100))
  }
  return false
}

function nextSteps(base) {
  const form = `--data-urlencode 'username=${DEMO.username}' --data-urlencode 'password=${DEMO.password}'`
  const pick = `sed -E 's/.*"token": ?"([^"]+)".*/\\1/'`
  return `
Ready at ${base}. Paste these into another terminal:

  # 1. no credentials: 401, and the header that says what is asked for
  curl -i ${base}/hello/

  # 2. exchange username and password for a token
  curl -s ${base}/api-token-auth/ ${form}
  TOKEN=$(curl -s ${base}/api-token-auth/ ${form} | ${pick})

  # 3. use the token
  curl -i ${base}/hello/ -H "Authorization: Token $TOKEN"

Ctrl-C ends the server. The demo user and its token stay in the demo database.
`
}

async function main() {
  const options = readOptions()
  if (options === null) return console.log(USAGE)
  await refuseTakenPort(options.port)
  await ensureInstalled()
  const env = demoEnvironment(options.data)
  await prepare(env)
  process.exitCode = await serve(env, options.port)
}

await main().catch((error) => {
  console.error(error instanceof Stop || !process.env.DEBUG ? error.message : error)
  process.exitCode = 1
})

/** Prevents a first hour of set-up: `npm start` on a fresh clone ends with an API that answers. Built-ins only. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
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
  const port = Number(values.port ?? process.env.PORT ?? 8000)
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

/** Settings of the demo: its own database, and a secret that is made once and kept beside it. */
function demoEnvironment(data) {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const secretFile = join(data, 'demo.secret')
  if (!existsSync(secretFile))
    writeFileSync(secretFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  return {
    ...process.env,
    LATCHKEY_SECRET: readFileSync(secretFile, 'utf8').trim(),
    LATCHKEY_DATABASE: join(data, 'demo.sqlite3'),
  }
}

async function latchkey(env, args, input) {
  return run(process.execPath, [CLI, ...args], { cwd: PROJECT, env, capture: true, ...(input && { input }) })
}

async function prepare(env) {
  console.log('Building (the first build takes a few seconds).')
  const built = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'], {
    cwd: ROOT,
  })
  if (built.code !== 0) throw new Stop('The build failed; its messages are above.')
  console.log(`Migrating ${env.LATCHKEY_DATABASE}.`)
  const migrated = await latchkey(env, ['migrate'])
  if (migrated.code !== 0) throw new Stop(`latchkey migrate failed:\n${migrated.output.trim()}`)
  const found = await latchkey(env, ['user', 'show', DEMO.username])
  if (found.code === 0) return console.log(`Found the demo user ${DEMO.username}.`)
  const created = await latchkey(
    env,
    ['user', 'create', DEMO.username, '--password-stdin'],
    `${DEMO.password}\n`,
  )
  if (created.code !== 0) throw new Stop(`latchkey user create failed:\n${created.output.trim()}`)
  console.log(`Created the demo user ${DEMO.username}.`)
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
      stopping = true
      child.kill('SIGTERM')
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

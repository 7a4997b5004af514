/**
 * `npm run attack`: attacks `latchkey serve` and an app of each framework with every row of the table, then at random
 * until the time is up. Exit code 1 when an invariant is broken; README.md says which there are.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faultsOf } from './lib/judge.mjs'
import { seededRandom } from './lib/random.mjs'
import { startTargets } from './lib/targets.mjs'
import { Client, exchange, requestBytes } from './lib/wire.mjs'
import { createWorld } from './lib/world.mjs'
import { ROWS } from './rows/index.mjs'
import { attackMemory } from './rows/memory.mjs'
import { randomAttack } from './rows/random.mjs'

const USAGE = `Usage: npm run attack -- [--minutes N] [--seed N] [--row TEXT] [--target NAME]

  --minutes N    in all; the table is always attacked once, the rest of the time is for random attacks (default: 3)
  --seed N       of the random attacks (default: another each time)
  --row TEXT     only the rows whose name contains it; memory and random are rows too
  --target NAME  only serve, node, express, fastify, hono or fetch`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    row: { type: 'string' },
    target: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [minutes, seed] = ['minutes', 'seed'].map((name) => {
  const number = Number(values[name])
  if (!Number.isFinite(number) || number < 0) usageError(`--${name}: must be a number, 0 or more`)
  return number
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

/** Attacks on one target at a time. */
const CONCURRENCY = 8
/** Of each loop, also when the table took all the time. */
const FEWEST_RANDOM = 100
/** Of one row, each of another attack; the others are counted. */
const SHOWN_FAULTS = 8

const endsAtMs = performance.now() + minutes * 60_000
const folder = mkdtempSync(join(tmpdir(), 'latchkey-attack-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
process.exit((await attackAll()) ? 0 : 1)

async function attackAll() {
  const isAsked = (name) => values.row === undefined || name.includes(values.row)
  const rows = ROWS.filter(({ name }) => isAsked(name))
  const memory = isAsked('memory') ? attackMemory(folder) : null
  const world = await createWorld(folder)
  const attacker = await startAttacker()
  const all = await startTargets(world)
  const targets = all.filter(({ name }) => values.target === undefined || name === values.target)
  if (targets.length === 0 || (rows.length === 0 && memory === null && !isAsked('random')))
    usageError('there is no such row or target')
  let ok = true
  for (const row of rows) ok = (await attackRow(row, { world, targets, attacker })) && ok
  if (memory !== null) ok = (await reportMemory(memory)) && ok
  if (isAsked('random')) ok = (await attackAtRandom({ world, targets, attacker })) && ok
  ok =
    report(
      { name: 'key URLs of forged JWTs', expects: "the attacker's server is never asked" },
      attacker.requests(),
      attacker.requests().length,
    ) && ok
  for (const target of all) await target.stop()
  const logged = targets.filter(({ log }) => world.secrets.some((secret) => log().includes(secret)))
  const leaks = logged.map(({ name }) => ({ attack: name, text: `${name}: a secret is in what it logged` }))
  ok = report({ name: 'logs', expects: 'no secret is in them' }, leaks, targets.length) && ok
  console.log(ok ? 'All invariants held' : 'Invariants are BROKEN')
  return ok
}

/** One row at every target, and after it a valid credential that must still open its route. */
async function attackRow(row, { world, targets, attacker }) {
  const startedMs = performance.now()
  const faults = []
  let count = 0
  for (const target of targets) {
    const client = new Client(target.port)
    const context = { world, target, listenerUrl: attacker.url }
    const judge = judgeFor(context, client, faults)
    await inParallel(row.attacks(context), async (attack) => {
      count += 1
      await judge(attack)
    })
    await judge(control(world))
    client.close()
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  return report(row, faults, count, ` in ${seconds} s`)
}

async function attackAtRandom({ world, targets, attacker }) {
  const faults = []
  let count = 0
  const row = { name: `random attacks, seed ${seed}`, expects: 'as for all others' }
  const attackOne = async (target, index) => {
    const context = { world, target, listenerUrl: attacker.url }
    const random = seededRandom(seed * 1000 + index)
    for (
      let own = 0;
      (own < FEWEST_RANDOM || performance.now() < endsAtMs) && faults.length < 100;
      own += 1
    ) {
      count += 1
      await judgeFor(context, null, faults)(randomAttack(context, random))
    }
    await judgeFor(context, null, faults)(control(world))
  }
  const loops = targets.flatMap((target, index) => [0, 1].map((loop) => attackOne(target, index * 2 + loop)))
  await Promise.all(loops)
  return report(row, faults, count)
}

/**
 * @typedef {{ attack: string, text: string }} Fault `text`: what is wrong, and what was sent
 */

/** Sends one attack and notes what is wrong, with what reproduces it. */
function judgeFor({ world, target }, client, faults) {
  return async (attack) => {
    const { request, bytes: raw } = attack
    const bytes = request === undefined ? Buffer.from(raw, 'latin1') : requestBytes(request)
    const isKept = client !== null && request !== undefined && request.method !== 'HEAD'
    const answer = isKept ? await client.ask(request) : await exchange(target.port, bytes)
    const sent = bytes.toString('latin1')
    const found = faultsOf(attack, answer, { ...world, ...target, sent })
    if (found.length > 0) {
      const shown = sent.length > 1500 ? `${sent.slice(0, 1500)}… (${sent.length} bytes)` : sent
      faults.push({
        attack: attack.name,
        text: `${target.name}: ${attack.name}: ${found.join('; ')}\n        ${JSON.stringify(shown)}`,
      })
    }
  }
}

/** What must work: a suite in which nothing is ever let in would prove nothing. */
function control({ opaque }) {
  const headers = [['Authorization', `Token ${opaque.authtoken}`]]
  return { name: 'a valid credential', request: { path: '/authtoken/', headers }, reached: ['alice'] }
}

async function inParallel(attacks, work) {
  const iterator = attacks[Symbol.iterator]()
  const loop = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, loop))
}

function report({ name, expects }, faults, count, more = '') {
  const isOk = faults.length === 0
  console.log(`${isOk ? 'ok  ' : 'FAIL'}  ${name}: ${expects} (${count} checked${more})`)
  const shown = [...new Map(faults.map((fault) => [fault.attack, fault])).values()].slice(0, SHOWN_FAULTS)
  for (const { text } of shown) console.log(`      ${text}`)
  if (faults.length > shown.length) console.log(`      and ${faults.length - shown.length} more`)
  return isOk
}

async function reportMemory(memory) {
  const { ok, output } = await memory
  process.stdout.write(output)
  return ok
}

/** The server that forged tokens name as the place of their keys. */
async function startAttacker() {
  const requests = []
  const server = createServer((request, response) => {
    const text = `${request.method} ${request.url}`
    requests.push({ attack: text, text })
    response.end('{"keys":[]}')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return { url: `http://127.0.0.1:${server.address().port}`, requests: () => requests }
}

function usageError(message) {
  console.error(`${message}\n\n${USAGE}`)
  process.exit(2)
}

/**
 * The torture run: several nodes on one database under load, rights taken away at random, nodes paused and killed, their
 * connections cut. It fails when a credential is accepted later than its bound, or a live one is refused.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { postgres, sqlite } from '@latchkey/sql'
import { disturb } from './lib/chaos.mjs'
import { issue, NARROWINGS, narrow, present } from './lib/credentials.mjs'
import { openDatabase } from './lib/database.mjs'
import { NodeProcess } from './lib/node-process.mjs'
import { startProxy } from './lib/proxy.mjs'

const USAGE = `Usage: npm run torture -- [--database sqlite|postgres|redis]… [--nodes 3] [--seconds 60] [--lease 2] [--seed 1]

All in turn unless one is named. PostgreSQL is LATCHKEY_TEST_POSTGRES_URL or the one on this machine; redis is PostgreSQL
that wakes nobody, and Redis (LATCHKEY_TEST_REDIS_URL, or the one on this machine) that does. The first third is calm
and measures how soon a revocation is felt; the rest is not.`

const { values } = parseArgs({
  options: {
    database: { type: 'string', multiple: true, default: ['sqlite', 'postgres', 'redis'] },
    nodes: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '60' },
    lease: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const [nodeCount, seconds, leaseSeconds, seed] = ['nodes', 'seconds', 'lease', 'seed'].map((name) => {
  const number = Number(values[name])
  if (!Number.isFinite(number) || number <= 0) {
    console.error(`--${name}: must be a number above 0\n\n${USAGE}`)
    process.exit(2)
  }
  return number
})

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** Loops of load per node, and credentials in use. */
const LOOPS = 4
const POOL = 60

let failed = false
for (const name of values.database) failed = !(await torture(name)) || failed
process.exit(failed ? 1 : 0)

async function torture(name) {
  console.log(`\n${name}: ${nodeCount} nodes, ${seconds} s, lease ${leaseSeconds} s, seed ${seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-torture-'))
  const database = await openDatabase(name, folder)
  if (database === null) {
    console.log(`${name}: not here, and not tortured`)
    rmSync(folder, { recursive: true, force: true })
    return process.env.CI !== 'true'
  }
  const stations = []
  try {
    const store = name === 'sqlite' ? sqlite(database.url) : postgres(database.url)
    await store.migrate()
    await store.close()
    for (let index = 0; index < nodeCount; index += 1) {
      const proxies = await Promise.all(database.addresses.map(startProxy))
      const settings = database.through(proxies.map(({ port }) => port))
      const node = new NodeProcess(`node ${index + 1}`, { ...settings, leaseSeconds })
      await node.start()
      stations.push({ node, proxies })
    }
    return await judge(name, stations)
  } finally {
    for (const { node, proxies } of stations) {
      node.resume()
      await node.kill()
      for (const proxy of proxies) await proxy.close()
    }
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function judge(name, stations) {
  const random = randomNumbers(seed)
  const pick = (list) => list[Math.floor(random() * list.length)]
  // On SQLite every request that is sent after the acknowledgement is refused.
  const boundMs = name === 'sqlite' ? 0 : leaseSeconds * 1000
  const faults = []
  const answers = {}
  const delays = { calm: [], disturbed: [] }
  const taken = {}
  const pool = []
  let phase = 'calm'
  let over = false
  const check = (node, credential, { status, fault }) => {
    answers[status] = (answers[status] ?? 0) + 1
    if (fault !== null)
      faults.push(`${node.name}, ${credential.narrowing.name} of a ${credential.narrowing.kind}: ${fault}`)
  }

  const fill = async () => {
    while (!over && pool.length < POOL) {
      // A node that is down or cut off gives nothing out; another one does.
      await issue(pick(stations).node, pick(NARROWINGS)).then(
        (credential) => pool.push(credential),
        () => sleep(20),
      )
    }
  }
  const load = async ({ node }) => {
    while (!over) {
      const credential = pick(pool)
      if (credential === undefined) await sleep(5)
      else {
        const answer = await present(node, credential, boundMs)
        check(node, credential, answer)
        if (answer.status === 0) await sleep(20)
      }
    }
  }
  /** Asks until it is refused: how long after the acknowledgement the last accepted request was sent. */
  const probe = async ({ node }, credential) => {
    const startedIn = phase
    let delayMs = 0
    for (;;) {
      const answer = await present(node, credential, boundMs)
      check(node, credential, answer)
      if (answer.status === 200) delayMs = Math.max(delayMs, answer.sentAtMs - credential.refusedFromMs)
      else if (answer.status === 401 || answer.status === 403) break
      else if (over) return
      else await sleep(20)
    }
    delays[startedIn === phase ? phase : 'disturbed'].push(delayMs)
  }
  const take = async () => {
    const probes = []
    while (!over) {
      await sleep(10 + random() * 30)
      if (pool.length < POOL / 2) await fill()
      const [credential] = pool.splice(Math.floor(random() * pool.length), 1)
      if (credential === undefined || !(await narrow(pick(stations).node, credential))) continue
      const { name: what } = credential.narrowing
      taken[what] = (taken[what] ?? 0) + 1
      probes.push(Promise.all(stations.map((station) => probe(station, credential))))
    }
    await Promise.all(probes)
  }

  await fill()
  const loops = stations.flatMap((station) => Array.from({ length: LOOPS }, () => load(station)))
  const taking = take()
  await sleep((seconds * 1000) / 3)
  phase = 'disturbed'
  const calmFaults = faults.length
  const endsAtMs = performance.now() + (seconds * 2000) / 3
  const happened = await disturb({
    stations,
    random,
    leaseSeconds,
    isOver: () => performance.now() > endsAtMs,
  })
  over = true
  await Promise.all([taking, ...loops])

  console.log(`  rights taken away: ${words(taken)}`)
  console.log(`  disturbances: ${words(happened)}`)
  console.log(`  answers: ${words(answers)} (0: none)`)
  for (const [which, list] of Object.entries(delays)) {
    console.log(`  revocation felt after, ${which}: ${distribution(list)}`)
  }
  for (const fault of faults.slice(0, 20)) console.log(`  FAULT ${fault}`)
  const enough = delays.calm.length > 0 && delays.disturbed.length > 0 && (answers[200] ?? 0) > 0
  if (!enough) console.log('  FAULT too little happened to prove anything')
  console.log(
    `  ${faults.length === 0 && enough ? 'held' : `NOT held: ${faults.length} faults, ${calmFaults} of them while calm`}`,
  )
  return faults.length === 0 && enough
}

function words(counts) {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none'
  )
}

function distribution(list) {
  if (list.length === 0) return 'not measured'
  const sorted = [...list].sort((a, b) => a - b)
  const at = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)].toFixed(2)
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms (${sorted.length} measured)`
}

/** Reproducible numbers in [0, 1): mulberry32. What the machine does between them is not. */
function randomNumbers(start) {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

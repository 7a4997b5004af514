/**
 * What is in progress while access is narrowed creates nothing afterwards, and nothing that was narrowed is accepted: two nodes
 * on one database, every store and hash call in every order that the scheduler finds. A failure prints its seed; with
 * LATCHKEY_RACES="SEED PATH" the same run is repeated.
 */
import { setImmediate } from 'node:timers/promises'
import fc, { type Scheduler } from 'fast-check'
import { type Latchkey, memoryStore, type Store } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { postgres } from '../src/postgres/postgres.js'
import { sqlite } from '../src/sqlite/sqlite.js'
import {
  acceptedBy,
  type Before,
  type Credential,
  inOrder,
  isRefusal,
  NARROWINGS,
  NEW_PASSWORD,
  node,
  OLD_PASSWORD,
  OPERATIONS,
  orderedStore,
  prepare,
  type Running,
  setOldFormat,
} from './access-model.js'
import { findPostgres, newSchema } from './postgres-server.js'
import { newPath } from './samples.js'

interface Nodes {
  readonly stores: readonly [Store, Store]
  /** Resolves when each node has heard what was committed before this call: the documented bound has passed. */
  readonly heard: () => Promise<void>
}

const server = await findPostgres()

/** How long each may take: all together stay below a minute. */
const DATABASES: ReadonlyArray<readonly [name: string, open: (() => Promise<Nodes>) | null, ms: number]> = [
  ['memory', inMemory, 6_000],
  ['SQLite', onSqlite, 12_000],
  ['PostgreSQL', server && onPostgres, 20_000],
]

for (const [name, open, ms] of DATABASES) {
  if (open === null) continue
  describe(`access that is narrowed, on ${name}`, () => {
    it('ends what is in progress', async () => {
      const { stores, heard } = await open()
      const [store] = stores
      const sites = [false, true].map((isRotating) => ({
        isRotating,
        nodes: stores.map((each) => node(orderedStore(each), isRotating)),
        cold: node(store, isRotating, 0),
      }))
      const race = fc.asyncProperty(
        fc.scheduler(),
        fc.constantFrom(...sites),
        RACE,
        async (scheduler, site, drawn) => runRace({ scheduler, heard, store, ...site, ...drawn }),
      )
      try {
        await fc.assert(race, { numRuns: 100_000, interruptAfterTimeLimit: ms, ...repeated() })
      } finally {
        for (const each of stores) await each.close()
      }
    })
  })
}

const WHERE = fc.constantFrom(0, 1)
const RACE = fc.record({
  operations: fc.array(fc.tuple(fc.constantFrom(...Object.keys(OPERATIONS)), WHERE), {
    minLength: 1,
    maxLength: 3,
  }),
  narrowing: fc.tuple(fc.constantFrom(...Object.keys(NARROWINGS)), WHERE),
  isImported: fc.boolean(),
})

type Drawn = typeof RACE extends fc.Arbitrary<infer Value> ? Value : never

interface Race extends Drawn {
  readonly scheduler: Scheduler
  readonly nodes: readonly Latchkey[]
  /** A node that has seen nothing and remembers nothing. */
  readonly cold: Latchkey
  readonly heard: () => Promise<void>
  readonly store: Store
  readonly isRotating: boolean
}

async function runRace(race: Race): Promise<void> {
  const { scheduler, nodes, cold, heard, isRotating } = race
  const [first, second] = nodes
  if (first === undefined || second === undefined) throw new Error('there are two nodes')
  const before = await prepare(first, second)
  if (race.isImported) await setOldFormat(race.store, before.user)
  const [what, where] = race.narrowing
  const narrowing = NARROWINGS[what]
  if (narrowing === undefined) throw new Error(`there is no ${what}`)

  const narrowed: Running = { scheduler, ranAt: new Map() }
  const narrow = async () => {
    await inOrder(narrowed, () => narrowing.run(nodes[where] ?? first, before.user))
    // The rest runs on; nothing that it does brings these back.
    await heard()
    const ended = before.credentials.filter(({ kind }) => !narrowing.keeps.includes(kind))
    await expectRefused([...nodes, cold], ended, `${what} has ended`)
  }
  const started = race.operations.map(([name, index]) => {
    const running: Running = { scheduler, ranAt: new Map() }
    const outcome = inOrder(running, () => attempt(name, nodes[index] ?? first, before))
    return { name, running, outcome }
  })
  await scheduler.waitFor(Promise.all([narrow(), ...started.map(({ outcome }) => outcome)]))
  await heard()

  const narrowedAt = narrowed.ranAt.get(narrowing.decidedBy)?.[0] ?? Number.NaN
  // A new password ends JWTs with a call of its own: a refresh in between was before it, and what it got ends with it.
  const jwtsEndedAt = narrowed.ranAt.get('jwts.revokeUser')?.[0] ?? narrowedAt
  for (const { name, running, outcome } of started) {
    const got = await outcome
    const operation = OPERATIONS[name]
    if (got === null || operation === undefined) continue
    const decidedAt = running.ranAt.get(operation.decidedBy(isRotating))?.at(-1) ?? Number.NEGATIVE_INFINITY
    const wasBefore = decidedAt < (operation.from === 'refresh' ? jwtsEndedAt : narrowedAt)
    if (operation.from === 'password' && !wasBefore) {
      const beganAt = running.ranAt.get('access.version')?.[0] ?? 0
      const isNew = beganAt > narrowedAt && !narrowing.endsPassword
      expect(isNew, `${name} succeeded on what was true before ${what}`).toBe(true)
      continue
    }
    if (operation.from === 'refresh' && !narrowing.keeps.includes('refresh'))
      expect(wasBefore, `${name} succeeded on what was true before ${what}`).toBe(true)
    const isKept = ({ kind }: Credential) =>
      narrowing.keeps.includes(kind) && (wasBefore || operation.from !== 'password')
    const ended = got.filter((credential) => !isKept(credential))
    await expectRefused([...nodes, cold], ended, `${what} has ended what ${name} got`)
  }
  await expectState(race, before, what)
}

/** Null: it was refused. */
async function attempt(name: string, on: Latchkey, before: Before): Promise<readonly Credential[] | null> {
  try {
    return (await OPERATIONS[name]?.run(on, before)) ?? null
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  }
}

async function expectRefused(
  nodes: readonly Latchkey[],
  credentials: readonly Credential[],
  reason: string,
): Promise<void> {
  for (const credential of credentials) {
    for (const [index, on] of nodes.entries()) {
      const user = await acceptedBy(on, credential)
      expect(user, `${reason}: the ${credential.kind} on node ${index}`).toBeNull()
    }
  }
}

/** The passwords that are right now, and the roles that credentials give. */
async function expectState(race: Race, { user, credentials }: Before, what: string): Promise<void> {
  const { nodes, cold } = race
  const isGone = what === 'deletion' || what === 'deactivation'
  const right = isGone ? null : what === 'a new password' ? NEW_PASSWORD : OLD_PASSWORD
  for (const password of [OLD_PASSWORD, NEW_PASSWORD]) {
    const loggedIn = await cold.login.login({ username: user.username, password, address: '192.0.2.1' })
    expect(loggedIn !== null, `${password} after ${what}`).toBe(password === right)
  }
  if (what !== 'loss of a role') return
  for (const on of [...nodes, cold]) {
    for (const credential of credentials.filter(({ kind }) => kind !== 'refresh')) {
      const accepted = await acceptedBy(on, credential)
      expect(accepted?.isStaff ?? false, `the ${credential.kind} gives a role that was lost`).toBe(false)
    }
  }
}

/** `LATCHKEY_RACES="SEED PATH"`, as a failure prints them. */
function repeated(): { readonly seed?: number; readonly path?: string } {
  const [seed, path] = (process.env.LATCHKEY_RACES ?? '').split(' ')
  return seed === undefined || seed === '' ? {} : { seed: Number(seed), ...(path && { path }) }
}

async function inMemory(): Promise<Nodes> {
  const store = memoryStore()
  return { stores: [store, store], heard: async () => undefined }
}

async function onSqlite(): Promise<Nodes> {
  const path = newPath()
  const options = { synchronous: 'normal' } as const
  const stores = [sqlite(path, options), sqlite(path, options)] as const
  await stores[0].migrate()
  // A look at the other process's changes serves one turn of the event loop.
  return { stores, heard: () => setImmediate() }
}

async function onPostgres(): Promise<Nodes> {
  const { url } = server ?? { url: '' }
  // The change feed is read every quarter of the lease.
  const options = { schema: newSchema({ url }), poolSize: 3, leaseSeconds: 0.1 }
  const stores = [postgres(url, options), postgres(url, options)] as const
  await stores[0].migrate()
  await stores[1].users.findById(1)
  const heard = async () => {
    const sinceMs = performance.now()
    while (stores.some(({ changes }) => changes.lagMs >= performance.now() - sinceMs)) await setImmediate()
  }
  return { stores, heard }
}

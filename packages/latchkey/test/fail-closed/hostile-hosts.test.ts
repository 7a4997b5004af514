/**
 * In whatever program Latchkey runs: a request without a valid credential never reaches a handler, and a valid one
 * reaches it as its own user, or is answered with 500 and a line in the log.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuiltChild, buildChild, type HostProcess, startHost } from './host-process.js'
import { BEFORE_AND_AFTER, HOSTILE_HOSTS, type HostileHost, type Order } from './hostile-hosts.js'
import { DOORS, OWN_DOORS, routeOf, type Visit, visits } from './plan.js'

let child: BuiltChild
beforeAll(async () => {
  child = await buildChild()
})
afterAll(() => child.dispose())

describe.each(HOSTILE_HOSTS)('in $name', (host) => {
  it.concurrent.each([...(host.orders ?? BEFORE_AND_AFTER)])(
    'every entry point fails closed: installed %s',
    async (order) => {
      expect(await faultsOf(host, order)).toEqual([])
    },
  )
})

/** A program may refuse to start, with an error that says why. */
async function faultsOf(host: HostileHost, order: Order): Promise<readonly string[]> {
  let app: HostProcess
  try {
    app = await startHost(child, host, order)
  } catch (error) {
    const isClear = /^(TypeError|LatchkeyError)\b/m.test(String(error))
    return host.mayFail && isClear ? [] : [String(error)]
  }
  try {
    return await faultsWhileServing(app, host, order)
  } catch (error) {
    return [`the process ended: ${String(error)} ${app.errors()}`]
  } finally {
    await app.stop()
  }
}

const TEMPERATURES = ['hot', 'cold'] as const
const AT_A_TIME = 8

interface Case extends Visit {
  readonly temperature: (typeof TEMPERATURES)[number]
  readonly path: string
}

async function faultsWhileServing(
  app: HostProcess,
  host: HostileHost,
  order: Order,
): Promise<readonly string[]> {
  const headers = await headersOf(app)
  const ids = new Map(
    rowsOf((await app.ask('/ids')).text).map(([where, name, id]) => [`${where} ${name}`, id]),
  )
  const plan = visits(host.withoutFrameworks ? OWN_DOORS : DOORS)
  const cases = TEMPERATURES.flatMap((temperature) => casesOf(plan, temperature))
  if (order === 'while the app serves') await app.ask('/install')
  const outcomes = await inTurns(cases, async (one) => {
    const { path, method, temperature, credential } = one
    try {
      const how = { method, headers: headers.get(`${temperature} ${credential}`) ?? {} }
      return { one, status: (await app.ask(path, how)).status, trouble: '' }
    } catch (error) {
      return { one, status: 0, trouble: `${String(error)} ${app.errors()}` }
    }
  })
  const reached = new Map<string, readonly string[]>()
  const faults: string[] = []
  for (const [path = '', ...who] of rowsOf((await app.ask('/reached')).text)) {
    if (reached.has(path)) faults.push(`${path}: the handler ran twice`)
    reached.set(path, who)
  }
  const log = (await app.ask('/log')).text
  for (const { one, status, trouble } of outcomes) {
    const at = `${one.temperature}, ${one.door}, ${one.authenticator}, ${one.permission}, ${one.credential}`
    const who = reached.get(one.path)
    const fault = faultOf(one, { status, who, id: ids.get(`${one.temperature} ${one.expected}`) })
    const mayFail = host.mayFail !== undefined || one.expected === 'refused'
    const hasFailed = status === 500 && who === undefined && mayFail
    if (host.mayFail === 'refused' && (status === 401 || status === 403) && who === undefined) continue
    if (hasFailed && !log.includes(`${one.path} `)) faults.push(`${at}: 500 without a line in the log`)
    else if (!hasFailed && fault !== null) faults.push(`${at}: ${fault} ${trouble || lineOf(log, one.path)}`)
  }
  return faults
}

interface Outcome {
  readonly status: number
  /** Username, id, and whether the identity was frozen; undefined: the handler was not reached. */
  readonly who: readonly string[] | undefined
  readonly id: string | undefined
}

function faultOf({ expected }: Visit, { status, who, id }: Outcome): string | null {
  if (expected === 'refused') {
    if (who !== undefined) return `reached the handler as ${who.join()}`
    return status === 401 || status === 403 ? null : `answered ${status}, not 401 or 403`
  }
  if (who === undefined) return `answered ${status} and did not reach the handler`
  const [username, userId, isFrozen] = who
  if (username !== String(expected) || userId !== (id ?? '')) return `reached the handler as ${who.join()}`
  return isFrozen === 'true' ? null : 'reached the handler with an identity that can be changed'
}

/** Neighbours in the list are other users' requests, and under way at the same time. */
async function inTurns<Result extends { readonly status: number }>(
  cases: readonly Case[],
  run: (one: Case) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const waiting = cases.values()
  const worker = async () => {
    for (const one of waiting) {
      const result = await run(one)
      results.push(result)
      // A process that answers nothing any more answers the rest neither.
      if (results.filter(({ status }) => status === 0).length > AT_A_TIME) return
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
  return results
}

function casesOf(plan: readonly Visit[], temperature: Case['temperature']): readonly Case[] {
  return plan.map((visit, index) => ({
    ...visit,
    temperature,
    path: `${routeOf(temperature, visit)}/${index}`,
  }))
}

async function headersOf(app: HostProcess): Promise<ReadonlyMap<string, Record<string, string | string[]>>> {
  const headers = new Map<string, Record<string, string | string[]>>()
  for (const [where, name, header = '', value = ''] of rowsOf((await app.ask('/headers')).text)) {
    const lines = headers.get(`${where} ${name}`) ?? {}
    const before = lines[header]
    headers.set(`${where} ${name}`, {
      ...lines,
      [header]: before === undefined ? value : [before, value].flat(),
    })
  }
  return headers
}

function rowsOf(text: string): ReadonlyArray<readonly string[]> {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

function lineOf(log: string, path: string): string {
  return log.split('\n').find((line) => line.startsWith(`${path} `)) ?? ''
}

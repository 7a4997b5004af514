/** Servers against each other under full load, for the rows over HTTP: fresh processes, in turns, each on its core. */
import { holdToCore } from './cores.mjs'
import { saturate } from './load.mjs'
import { median } from './numbers.mjs'
import { startServer } from './server-process.mjs'

export const CONNECTIONS = 64
const WARM_UP_SECONDS = 1
/** Turns are short, so that what disturbs the machine for longer disturbs all contestants of a round. */
const SECONDS_PER_TURN = 0.4
const TURNS_PER_ROUND = 4

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {'peer'} [of]
 * @property {() => Promise<Running>} start a new process
 * @property {readonly import('./load.mjs').Request[]} requests
 * @property {number | null} anonymous the status of an answer to a request without credentials; null: do not ask
 *
 * @typedef {object} Running
 * @property {string} url
 * @property {() => Promise<number>} cpuUs processor time of the server since it started, all of its processes; NaN:
 *   nobody knows
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Outcome one number per round in each list
 * @property {string} name
 * @property {'peer'} [of]
 * @property {number[]} rates requests answered per second
 * @property {number[]} cpuUs processor time of the server per request
 * @property {number[]} busy share of the time in which the server was working, 1 per core
 */

/**
 * Each round starts a new process of every contestant, because one process differs from the next of the same program by
 * up to a tenth, for as long as it lives; within a round they take turns.
 * @param {{ rounds: number, contestants: readonly Contestant[] }} plan
 * @returns {Promise<Outcome[]>} in the order of the contestants
 */
export async function contest({ rounds, contestants }) {
  holdToCore(process.pid, 'load')
  const outcomes = contestants.map(({ name, of }) => ({ name, of, rates: [], cpuUs: [], busy: [] }))
  for (let round = 0; round < rounds; round += 1) {
    const running = []
    try {
      for (const contestant of contestants) running.push(await enter(contestant))
      for (let turn = 0; turn < TURNS_PER_ROUND; turn += 1) {
        for (const one of running) await takeTurn(one)
      }
      for (const [index, { rates, cpuUs, answered, seconds }] of running.entries()) {
        outcomes[index].rates.push(median(rates))
        outcomes[index].cpuUs.push(cpuUs / answered)
        outcomes[index].busy.push(cpuUs / (seconds * 1e6))
      }
    } finally {
      for (const { server } of running) await server.stop()
    }
  }
  return outcomes
}

/** Throughput of all of them, then what a request cost their servers, where that is known. @param {readonly Outcome[]} outcomes */
export function seriesOf(outcomes) {
  const timed = outcomes.filter(({ cpuUs }) => cpuUs.every(Number.isFinite))
  return [
    ...outcomes.map(({ name, of, rates }) => ({ name, of, rounds: rates })),
    ...timed.map(({ name, of, cpuUs }) => ({
      name: `${name}, processor time`,
      of,
      unit: 'µs',
      rounds: cpuUs,
    })),
  ]
}

/**
 * A contestant's `start` for one of `bench/servers/`.
 * @param {string} name
 * @param {object} settings
 * @param {{ holdTo: 'server' | 'both' }} [options] `both`: for servers of several processes
 */
export function startNode(name, settings, { holdTo } = { holdTo: 'server' }) {
  return async () => {
    const { url, ask, stop } = await startServer(name, settings, { holdTo })
    return { url, stop, cpuUs: async () => (await ask({ kind: 'cpu' })).cpuUs }
  }
}

/** `GET /hello/`, once with each of these headers. @param {ReadonlyArray<Record<string, string>>} headers */
export function helloRequests(headers) {
  return headers.map((one) => ({ method: 'GET', path: '/hello/', headers: one }))
}

/** A new process that has shown that it does what it is asked, and is warm. */
async function enter({ start, requests, anonymous }) {
  const server = await start()
  if (anonymous !== null) await expectStatus(server.url, anonymous)
  await expectGreeting(server.url, requests[0])
  await saturate({ url: server.url, connections: CONNECTIONS, seconds: WARM_UP_SECONDS, requests })
  return { server, requests, rates: [], cpuUs: 0, answered: 0, seconds: 0 }
}

async function takeTurn(one) {
  const { server, requests } = one
  const beforeUs = await server.cpuUs()
  const startedMs = performance.now()
  const { rate, answered } = await saturate({
    url: server.url,
    connections: CONNECTIONS,
    seconds: SECONDS_PER_TURN,
    requests,
  })
  one.seconds += (performance.now() - startedMs) / 1000
  one.cpuUs += (await server.cpuUs()) - beforeUs
  one.answered += answered
  one.rates.push(rate)
}

/** Without credentials a guard must refuse, and without a guard nobody is refused: else this measures nothing. */
async function expectStatus(url, status) {
  const answer = await fetch(`${url}/hello/`)
  await answer.arrayBuffer()
  if (answer.status !== status) throw new Error(`${url}: ${answer.status} where ${status} was expected`)
}

async function expectGreeting(url, { path, headers }) {
  const answer = await fetch(url + path, { headers })
  const text = await answer.text()
  if (!/^\{"message":\s?"Hello, user-\d{7}!"\}$/.test(text))
    throw new Error(`${url}: ${answer.status} ${text}`)
}

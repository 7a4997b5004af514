/** A server under load lives in a process of its own, so that the load generator does not share its event loop. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { nextMessage } from './child.mjs'
import { holdToCore } from './cores.mjs'

/**
 * @typedef {object} ServerProcess
 * @property {string} url
 * @property {(question: object) => Promise<any>} ask the server's answer to one message; one at a time
 * @property {() => Promise<void>} stop
 */

/**
 * Starts `bench/servers/NAME.mjs`, whose first message is `{ url }`.
 * @param {string} name
 * @param {object} settings
 * @param {{ holdTo?: 'server' | 'both' }} [options] see `holdToCore`; default: any core
 * @returns {Promise<ServerProcess>}
 */
export async function startServer(name, settings, { holdTo } = {}) {
  const script = fileURLToPath(new URL(`../servers/${name}.mjs`, import.meta.url))
  const child = fork(script, [JSON.stringify(settings)], { execArgv: serverFlags() })
  if (holdTo !== undefined) holdToCore(child.pid, holdTo)
  const { url } = await nextMessage(child)
  return {
    url,
    ask: (question) => {
      const answered = nextMessage(child)
      child.send(question)
      return answered
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

/** `BENCH_SERVER_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/prof'` profiles the servers. */
function serverFlags() {
  return process.env.BENCH_SERVER_FLAGS?.split(' ') ?? []
}

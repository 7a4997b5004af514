/** `servers/hello.mjs` in two processes on one port, as gunicorn runs two workers. */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { answerParent } from '../lib/server-child.mjs'

cluster.setupPrimary({
  exec: fileURLToPath(new URL('hello.mjs', import.meta.url)),
  args: process.argv.slice(2),
})
const workers = [cluster.fork(), cluster.fork()]
const answers = () => Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
const [{ url }] = await answers()

answerParent(url, {
  cpu: async () => {
    const told = answers()
    for (const worker of workers) worker.send({ kind: 'cpu' })
    return { cpuUs: (await told).reduce((sum, { cpuUs }) => sum + cpuUs, 0) }
  },
})

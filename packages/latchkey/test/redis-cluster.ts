/** A Redis Cluster of two servers for tests, where `redis-server` is installed. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { freePort } from '../../../tools/lib/free-port.js'
import { withRedis } from './redis-server.js'

export interface ClusterNode {
  readonly host: string
  readonly port: number
}

/** Half of the slots each; null where no server can be started. */
export async function startCluster(): Promise<readonly ClusterNode[] | null> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return null
  const nodes = [await startNode(), await startNode()]
  const [first, second] = nodes
  if (first === undefined || second === undefined) return null
  await command(first, 'CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
  await command(second, 'CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
  await command(second, 'CLUSTER', 'MEET', first.host, String(first.port), String(first.busPort))
  for (const node of nodes) {
    for (let tries = 0; !(await isWhole(node)); tries += 1) {
      if (tries === 400) throw new Error('the cluster that was started is not complete')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return nodes
}

async function isWhole(node: ClusterNode): Promise<boolean> {
  const info = String(await command(node, 'CLUSTER', 'INFO'))
  return info.includes('cluster_state:ok') && info.includes('cluster_size:2')
}

async function startNode(): Promise<ClusterNode & { readonly busPort: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-cluster-'))
  const [host, port, busPort] = ['127.0.0.1', await freePort(), await freePort()]
  const args = ['--port', port, '--bind', host, '--dir', folder, '--save', '', '--appendonly', 'no']
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', busPort, '--cluster-node-timeout', '5000']
  const server = spawn('redis-server', [...args, ...cluster].map(String), { stdio: 'ignore' })
  const ended = once(server, 'exit')
  afterAll(async () => {
    server.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  const node = { host, port, busPort }
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await command(node, 'PING').catch(() => null)) === 'PONG') return node
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('a Redis that was started does not answer')
}

function command({ host, port }: ClusterNode, ...words: string[]): Promise<unknown> {
  return withRedis(`redis://${host}:${port}`, (client) => client.sendCommand(words))
}

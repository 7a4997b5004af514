/**
 * The Redis that tests run on: LATCHKEY_TEST_REDIS_URL, else the one at 127.0.0.1:6379, else one that is started here from
 * the path and goes away with the tests; else none, with one printed line, which fails where CI=true.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { afterAll } from 'vitest'
import { freePort } from '../../../tools/lib/free-port.js'

const LOCAL = 'redis://127.0.0.1:6379'

/** The URL of the server of this test file, or null where there is none. */
export async function findRedis(): Promise<string | null> {
  const { LATCHKEY_TEST_REDIS_URL: given } = process.env
  const url = given || ((await answers(LOCAL)) ? LOCAL : null)
  if (url !== null) return url
  if (spawnSync('redis-server', ['--version']).status === 0) return startRedis()
  const advice = 'set LATCHKEY_TEST_REDIS_URL, or install Redis'
  if (process.env.CI === 'true') throw new Error(`no Redis for the tests of latchkey/redis: ${advice}`)
  console.log(`Skipped: tests of latchkey/redis (${advice})`)
  return null
}

/** Starts a server of its own for this test file. */
async function startRedis(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-redis-'))
  const port = await freePort()
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', args.map(String), { stdio: 'ignore' })
  const ended = once(server, 'exit')
  afterAll(async () => {
    server.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `redis://127.0.0.1:${port}`
  for (let tries = 0; tries < 100; tries += 1) {
    if (await answers(url)) return url
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the Redis that was started does not answer')
}

/** Gives prefixes that no other test has; keys with them are deleted at the end of the file. */
export function prefixesOn(url: string | null): () => string {
  const base = `latchkey-test:${randomBytes(8).toString('hex')}:`
  let number = 0
  afterAll(async () => {
    if (url !== null) await withRedis(url, (client) => deleteKeys(client, base))
  })
  return () => {
    number += 1
    return `${base}${number}:`
  }
}

export async function deleteKeys(client: ReturnType<typeof newClient>, prefix: string): Promise<void> {
  for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 }))
    if (keys.length > 0) await client.del(keys)
}

/** What an administrator does by hand. */
export async function withRedis<Result>(
  url: string,
  work: (client: ReturnType<typeof newClient>) => Promise<Result>,
): Promise<Result> {
  const client = newClient(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

function newClient(url: string) {
  return createClient({ url, socket: { reconnectStrategy: false } })
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await withRedis(url, (client) => client.ping())) === 'PONG'
  } catch {
    return false
  }
}

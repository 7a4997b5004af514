import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { freePort } from '../../../tools/lib/free-port.js'
import { findRedis, withRedis } from '../../latchkey/test/redis-server.js'
import { tcpProxy } from '../../latchkey/test/tcp-proxy.js'
import { findPostgres, query } from '../../sql/test/postgres-server.js'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PASSWORD = 'correct horse battery'
const CHANNEL = 'latchkey:changes'
const canStartRedis = spawnSync('redis-server', ['--version']).status === 0
/** Nothing but Redis tells of a change: nobody listens in the database, and the next look is minutes away. */
const REDIS_ALONE = { LATCHKEY_TRANSACTION_POOLER: 'yes', LATCHKEY_LEASE_SECONDS: '600' }

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const CONFIG = `
import { defineConfig, path } from '@latchkey/server'
import { apiView, basicAuthentication, knox, obtainAuthToken } from 'latchkey'

const many = knox({ loginAuthentication: [basicAuthentication()] })
const get = () => ({ pid: process.pid })

export default defineConfig({
  policies: [many.policy],
  urlpatterns: [
    path('/hello/', apiView({ get })),
    path('/api-token-auth/', obtainAuthToken()),
    path('/many/', apiView({ authentication: [many.authentication], get })),
    path('/login/', many.login),
    path('/logout/', many.logout),
  ],
})
`

const folder = mkdtempSync(join(tmpdir(), 'latchkey-redis-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'latchkey.config.ts'), CONFIG)
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))

const postgres = await findPostgres()
const redisUrl = await findRedis()

if (postgres !== null && redisUrl !== null) {
  const name = `latchkey_redis_${randomBytes(6).toString('hex')}`
  await query(postgres.url, `CREATE DATABASE ${name}`)
  const database = new URL(postgres.url)
  database.pathname = `/${name}`
  const env: NodeJS.ProcessEnv = { ...cleanEnvironment(), LATCHKEY_DATABASE: database.href }
  /** With a password that is nowhere printed: a server that has none takes any. */
  const redis = withPassword(redisUrl)
  const children: ChildProcess[] = []

  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  })
  afterAll(() => query(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`))

  function latchkey(argv: readonly string[], more: NodeJS.ProcessEnv = {}, input = '') {
    const options = { cwd: folder, env: { ...env, ...more }, input, encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [LATCHKEY, ...argv], options)
    expect(stdout + stderr).not.toContain('hunter2')
    return { status, stdout, stderr }
  }

  expect(latchkey(['migrate']).status).toBe(0)

  /** A user that no other test has. */
  function newUser(): string {
    const username = `user-${randomBytes(6).toString('hex')}`
    expect(latchkey(['createuser', username, '--password-stdin'], {}, `${PASSWORD}\n`).status).toBe(0)
    return username
  }

  async function serve(more: NodeJS.ProcessEnv, ...argv: readonly string[]) {
    const child = spawn(process.execPath, [LATCHKEY, 'serve', '0', ...argv], {
      cwd: folder,
      env: { ...env, ...more },
    })
    children.push(child)
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
      expect(stderr).not.toContain('hunter2')
    })
    const ended = once(child, 'exit').then(([code, signal]) => code ?? signal)
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.on('data', () => {
        const [, found] = /listens on (\S+)\//.exec(stderr) ?? []
        if (found !== undefined) resolve(found)
      })
      child.once('exit', () => reject(new Error(stderr)))
    })
    const count = (text: string) => stderr.split(text).length - 1
    const stop = () => {
      child.kill('SIGTERM')
      return ended
    }
    return { child, url, count, stop }
  }

  const until = (condition: () => void | Promise<void>) =>
    vi.waitFor(condition, { timeout: 60_000, interval: 20 })

  describe('servers with a Redis', () => {
    it('hear over it what a command and another server have revoked', async () => {
      const username = newUser()
      const [first, second] = [
        await serve({ ...REDIS_ALONE, ...redis }),
        await serve({ ...REDIS_ALONE, ...redis }),
      ]
      const deaf = await serve(REDIS_ALONE)
      const { token } = (await login(first.url, username)).json
      for (const { url } of [first, second, deaf]) expect(await hello(url, token)).toBe(200)
      const revoked = latchkey(['token', 'revoke', '--user', username], redis)
      expect(revoked).toMatchObject({ status: 0, stderr: '' })
      for (const { url } of [first, second])
        await until(async () => expect(await hello(url, token)).toBe(401))
      expect(await hello(deaf.url, token)).toBe(200)

      const basic = `Basic ${Buffer.from(`${username}:${PASSWORD}`).toString('base64')}`
      const { json } = await ask(first.url, '/login/', { method: 'POST', authorization: basic })
      const many = (url: string) =>
        ask(url, '/many/', { authorization: `Token ${json.token}` }).then(({ status }) => status)
      for (const { url } of [first, second, deaf]) expect(await many(url)).toBe(200)
      await ask(first.url, '/logout/', { method: 'POST', authorization: `Token ${json.token}` })
      await until(async () => expect(await many(second.url)).toBe(401))
      expect(await many(deaf.url)).toBe(200)
    })

    it('count failed logins together, and in it', async () => {
      const username = newUser()
      const [user] = await query<{ id: string }>(
        database.href,
        `SELECT id FROM latchkey.users WHERE username = '${username}'`,
      )
      const counted = JSON.stringify(['pair', ['id', Number(user?.id)], '127.0.0.1'])
      const key = `latchkey:counters:login:${hash('sha256', counted, 'base64url')}`
      onTestFinished(() => withRedis(redisUrl, (client) => client.del(key)).then(() => undefined))
      const argv = ['--login-rate', '5/hour']
      const servers = [await serve(redis, ...argv), await serve(redis, ...argv)]
      const guesses = await Promise.all(
        Array.from({ length: 12 }, (_, index) => login(servers[index % 2]!.url, username, `guess ${index}`)),
      )
      const statuses = guesses.map(({ status }) => status).sort()
      expect(statuses).toEqual([...Array(5).fill(400), ...Array(7).fill(429)])
      const events = await withRedis(redisUrl, (client) => client.zRange(key, 0, -1))
      expect(events.reduce((sum, event) => sum + Number(event.split(':')[1]), 0)).toBe(5)
      expect(await query(database.href, 'SELECT * FROM latchkey.counter_events')).toEqual([])
    })

    it('start without it, serve as they can, and take it when it is there', async () => {
      const username = newUser()
      const issued = latchkey(['drf_create_token', username])
      const token = /[0-9a-f]{40}/.exec(issued.stdout)?.[0] ?? ''
      const { proxy, through } = await away()
      proxy.cut()
      const { url, count, stop } = await serve(through)
      await until(() => expect(count('Warning: ')).toBe(1))
      const refused = await login(url, username)
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
      expect(await hello(url, token)).toBe(200)
      const revoked = latchkey(['token', 'revoke', '--user', username], through)
      expect(revoked.status).toBe(0)
      expect(revoked.stderr).toMatch(/^Warning: redis:.*\. Servers hear of changes through the database\.\n$/)
      await until(async () => expect(await hello(url, token)).toBe(401))
      expect([count('Warning: '), count('can be asked again')]).toEqual([1, 0])
      proxy.mend()
      await until(async () => expect((await login(url, username)).status).toBe(200))
      expect([count('Warning: '), count('can be asked again')]).toEqual([1, 1])
      expect(await stop()).toBe(0)
    })

    it('count nothing in another database than the one that is named', async () => {
      const username = newUser()
      const nowhere = new URL(redis.LATCHKEY_REDIS)
      nowhere.pathname = '/99999'
      const { url, count, stop } = await serve({ LATCHKEY_REDIS: nowhere.href })
      expect((await login(url, username)).status).toBe(503)
      expect([count('/99999: ERR DB index'), count('can be asked again')]).toEqual([1, 0])
      expect(await stop()).toBe(0)
    })

    it.each(['cut', 'hang'] as const)('go on when it goes away in the middle: %s', async (trouble) => {
      const username = newUser()
      const { proxy, through } = await away()
      const { url, count, stop } = await serve(through)
      const { token } = (await login(url, username)).json
      expect(count('Warning: ')).toBe(0)
      proxy[trouble]()
      expect((await login(url, username)).status).toBe(503)
      expect(await hello(url, token)).toBe(200)
      await until(() => expect(count('Warning: ')).toBe(1))
      proxy.mend()
      await until(async () => expect((await login(url, username)).status).toBe(200))
      expect([count('Warning: '), count('can be asked again')]).toEqual([1, 1])
      proxy[trouble]()
      expect(await stop()).toBe(0)
    })

    it.runIf(canStartRedis)(
      'connect again to one that became a replica: another may have its address',
      async () => {
        const username = newUser()
        const replica = await startReplica()
        const { url, count, stop } = await serve({ LATCHKEY_REDIS: replica })
        const as = <Result>(work: Parameters<typeof withRedis<Result>>[1]) => withRedis(replica, work)
        // From then on, nothing else makes a connection.
        expect(await hello(url, '0'.repeat(40))).toBe(401)
        await until(async () =>
          expect(await as((client) => client.pubSubNumSub(CHANNEL))).toEqual({ [CHANNEL]: 1 }),
        )
        const clients = () => as(async (client) => (await client.clientList()).map(({ id }) => id))
        const before = await clients()
        expect((await login(url, username, 'a guess')).status).toBe(503)
        await until(async () => expect((await clients()).slice(0, -1)).not.toEqual(before.slice(0, -1)))
        expect(count('Warning: ')).toBe(1)
        expect(count(': READONLY ')).toBeGreaterThan(0)
        await as((client) => client.sendCommand(['REPLICAOF', 'NO', 'ONE']))
        await until(async () => expect((await login(url, username)).status).toBe(200))
        expect(await stop()).toBe(0)
      },
    )

    it('are workers too, of one generation after the other', async () => {
      const username = newUser()
      const { child, url, count, stop } = await serve({ ...REDIS_ALONE, ...redis }, '--workers', '2')
      for (const round of [1, 2]) {
        const { token } = (await login(url, username)).json
        // Connections go to the workers in turn.
        const all = () => Promise.all(Array.from({ length: 8 }, () => hello(url, token)))
        expect(await all()).toEqual(Array(8).fill(200))
        expect(latchkey(['token', 'revoke', '--user', username], redis).status).toBe(0)
        await until(async () => expect(await all()).toEqual(Array(8).fill(401)))
        child.kill('SIGHUP')
        await until(() => expect(count('Reloaded.')).toBe(round))
      }
      expect(await stop()).toBe(0)
      expect(count('Warning: ')).toBe(0)
    })
  })

  describe('latchkey check', () => {
    it('asks Redis, and says what it answers', async () => {
      expect(latchkey(['check'], redis)).toMatchObject({ status: 0 })
      const stranger = new URL(redisUrl)
      stranger.username = 'nobody'
      stranger.password = 'hunter2'
      const refused = latchkey(['check'], { LATCHKEY_REDIS: stranger.href })
      expect(refused.status).toBe(1)
      expect(refused.stdout).toContain(`latchkey.E008: redis://${stranger.host}: WRONGPASS`)
      const { proxy, through } = await away()
      proxy.cut()
      const cut = latchkey(['check'], through)
      expect(cut.status).toBe(1)
      expect(cut.stdout).toMatch(/^latchkey\.E008: redis:\/\/127\.0\.0\.1:\d+: /m)
      expect(cut.stderr).toBe('')
    })
  })

  /** A Redis that takes no writes: it follows one that is not there. */
  async function startReplica(): Promise<string> {
    const port = await freePort()
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--replicaof', '127.0.0.1 1']
    children.push(spawn('redis-server', args, { cwd: folder, stdio: 'ignore' }))
    const address = `redis://127.0.0.1:${port}`
    await until(() => withRedis(address, async (client) => void (await client.ping())))
    return address
  }

  /** The same Redis behind a connection that can be cut. */
  async function away() {
    const proxy = await tcpProxy(redis.LATCHKEY_REDIS)
    onTestFinished(() => proxy.close())
    return { proxy, through: { LATCHKEY_REDIS: proxy.url } }
  }
}

function withPassword(url: string) {
  const address = new URL(url)
  if (address.password === '') {
    address.username = 'default'
    address.password = 'hunter2'
  }
  return { LATCHKEY_REDIS: address.href }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly json: { readonly token: string }
}

/** Each on a connection of its own. */
function ask(
  url: string,
  path: string,
  { method = 'GET', authorization = '', body = '' } = {},
): Promise<Answer> {
  const headers = {
    ...(authorization && { authorization }),
    ...(body && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }),
  }
  return new Promise((resolve, reject) => {
    request(`${url}${path}`, { agent: false, method, headers }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      const { statusCode: status = 0, headers } = response
      resolve({ status, headers, json: text === '' ? undefined : JSON.parse(text) })
    })
      .on('error', reject)
      .end(body)
  })
}

const hello = (url: string, token: string) =>
  ask(url, '/hello/', { authorization: `Token ${token}` }).then(({ status }) => status)

const login = (url: string, username: string, password = PASSWORD) =>
  ask(url, '/api-token-auth/', {
    method: 'POST',
    body: new URLSearchParams({ username, password }).toString(),
  })

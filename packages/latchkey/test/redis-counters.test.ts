import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  createLatchkey,
  type LatchkeyOptions,
  memoryStore,
  obtainAuthToken,
  type Store,
  scrypt,
  throttleByAddress,
} from 'latchkey'
import { redisCounters } from 'latchkey/redis'
import { fakeRequest } from 'latchkey/testing'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { countersContract } from '../src/testing/store-contract/counters.js'
import { ALL_CLIENTS, CLIENTS } from './redis-clients.js'
import { deleteKeys, findRedis, prefixesOn, withRedis } from './redis-server.js'
import { tcpProxy } from './tcp-proxy.js'

const URL_OF_REDIS = await findRedis()
const url = URL_OF_REDIS ?? ''
const newPrefix = prefixesOn(URL_OF_REDIS)
const LIMIT = { maxCount: 3, periodSeconds: 60 }
/** How long tests wait for what takes milliseconds on an idle machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }
const NOW_MS = Date.UTC(2030, 0, 1, 12)

for (const [kind, open] of Object.entries(CLIENTS)) {
  describe.skipIf(URL_OF_REDIS === null)(`redisCounters() with a client of ${kind}`, () => {
    describe('keep the contract of counters', () => {
      countersContract((promise, body) => {
        it(promise, async () => {
          const counters = redisCounters(open(url).client, { prefix: newPrefix() })
          const store: Store = { ...memoryStore(), counters }
          await body(store)
        })
      })
    })

    it('let go of every key when its last event has left the period', async () => {
      const prefix = newPrefix()
      const counters = redisCounters(open(url).client, { prefix })
      await counters.hit('hit', LIMIT, NOW_MS)
      await counters.peek('peek', LIMIT, NOW_MS)
      const events = [
        { atMs: NOW_MS + 5000, count: 2 },
        { atMs: NOW_MS - 5000, count: 2 },
      ]
      await counters.merge([{ key: 'merge', limit: LIMIT, events }], NOW_MS)
      await counters.merge([{ key: 'none', limit: LIMIT, events: [] }], NOW_MS)
      await counters.hit('cleared', LIMIT, NOW_MS)
      await counters.clear('cleared')
      await withRedis(url, async (client) => {
        const ttls: Record<string, number> = {}
        for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 }))
          for (const key of keys) ttls[key.slice(prefix.length)] = Math.ceil((await client.pTTL(key)) / 1000)
        // With a minute for clocks that differ.
        expect(ttls).toEqual({ hit: 120, merge: 125 })
      })
    })

    it('forget what is too old to count, and keep one entry per moment', async () => {
      const prefix = newPrefix()
      const counters = redisCounters(open(url).client, { prefix })
      const many = { maxCount: 1000, periodSeconds: 1 }
      for (let step = 0; step < 300; step += 1) await counters.hit('key', many, NOW_MS + (step % 10))
      await withRedis(url, async (client) => {
        expect(await client.zCard(`${prefix}key`)).toBe(10)
        await counters.hit('key', many, NOW_MS + 70_000)
        expect(await client.zCard(`${prefix}key`)).toBe(1)
      })
    })

    it('send a script again that the server has forgotten', async () => {
      const counters = redisCounters(open(url).client, { prefix: newPrefix() })
      for (let round = 0; round < 2; round += 1) {
        await withRedis(url, (client) => client.scriptFlush())
        expect((await counters.hit('key', LIMIT, NOW_MS)).allowed).toBe(true)
        await withRedis(url, (client) => client.scriptFlush())
        const [events] = await counters.merge([{ key: 'key', limit: LIMIT, events: [] }], NOW_MS)
        expect(events).toEqual([{ atMs: NOW_MS, count: round + 1 }])
      }
    })

    it('begin anew in a Redis that was emptied', async () => {
      const prefix = newPrefix()
      const counters = redisCounters(open(url).client, { prefix })
      for (let hit = 0; hit < 4; hit += 1) await counters.hit('key', LIMIT, NOW_MS)
      expect((await counters.peek('key', LIMIT, NOW_MS)).allowed).toBe(false)
      await withRedis(url, (client) => deleteKeys(client, prefix))
      expect((await counters.hit('key', LIMIT, NOW_MS)).allowed).toBe(true)
    })

    it('answer whatever Redis refuses with store_unavailable, and say what it was', async () => {
      const prefix = newPrefix()
      const counters = redisCounters(open(url).client, { prefix })
      await withRedis(url, (client) => client.set(`${prefix}key`, 'no set'))
      const trouble = { code: 'store_unavailable', detail: expect.stringContaining('redis: WRONGTYPE') }
      await expect(counters.hit('key', LIMIT, NOW_MS)).rejects.toMatchObject(trouble)
      await expect(counters.peek('key', LIMIT, NOW_MS)).rejects.toMatchObject(trouble)
      await expect(counters.merge([{ key: 'key', limit: LIMIT, events: [] }], NOW_MS)).rejects.toMatchObject(
        trouble,
      )
    })

    it('are store_unavailable with a client that was closed', async () => {
      const { client, ready, close } = open(url)
      await ready()
      const counters = redisCounters(client, { prefix: newPrefix() })
      close()
      for (const call of [
        counters.hit('key', LIMIT, NOW_MS),
        counters.peek('key', LIMIT, NOW_MS),
        counters.merge([], NOW_MS),
        counters.clear('key'),
      ])
        await expect(call).rejects.toMatchObject({ code: 'store_unavailable', retryAfterSeconds: 1 })
    })
  })
}

for (const [kind, open] of Object.entries(ALL_CLIENTS)) {
  describe.skipIf(URL_OF_REDIS === null)(`redisCounters() with a client of ${kind}`, () => {
    describe('when the connection breaks', () => {
      async function login(options: Partial<LatchkeyOptions> = {}) {
        const prefix = newPrefix()
        const proxy = await tcpProxy(url)
        onTestFinished(() => proxy.close())
        const { client, ready } = open(proxy.url)
        await ready()
        const latchkey = createLatchkey({
          store: memoryStore(),
          secret: 'a secret of at least thirty-two characters',
          counters: redisCounters(client, { prefix }),
          loginRate: '3/hour',
          passwords: { preferred: scrypt({ cost: 16 }) },
          onError: () => undefined,
          ...options,
        })
        await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
        const view = latchkey.handler(obtainAuthToken())
        const guess = async (password: string) => {
          const body = JSON.stringify({ username: 'vitor', password })
          const headers = { 'content-type': 'application/json' }
          const answer = await view(fakeRequest({ method: 'POST', body, headers }))
          const [, retryAfter] = answer.headers.find(([name]) => name === 'Retry-After') ?? []
          return { status: answer.status, retryAfter }
        }
        const counted = async () => {
          const keys = await withRedis(url, (admin) => admin.keys(`${prefix}login:*`))
          return withRedis(url, async (admin) => (keys[0] === undefined ? 0 : admin.zCard(keys[0])))
        }
        return { latchkey, proxy, ready, guess, counted }
      }

      it('a login is refused as 503, right or wrong, and works again with the connection', async () => {
        const { proxy, ready, guess, counted } = await login()
        expect((await guess('wrong')).status).toBe(400)
        expect(await counted()).toBe(1)
        proxy.cut()
        const guesses = await Promise.all(['wrong', 'open sesame 1', 'wrong', 'wrong', 'wrong'].map(guess))
        for (const { status, retryAfter } of guesses) expect([status, retryAfter]).toEqual([503, '1'])
        proxy.mend()
        await ready()
        // What was kept back for so long may be counted by now; what was tried is.
        await vi.waitFor(async () => expect((await guess('open sesame 1')).status).toBe(200), PATIENCE)
        expect((await guess('wrong')).status).toBe(400)
      })

      it('a server that takes the question and does not answer is 503 as well', async () => {
        const { proxy, guess } = await login()
        expect((await guess('open sesame 1')).status).toBe(200)
        proxy.hang()
        const guesses = await Promise.all(['wrong', 'open sesame 1'].map(guess))
        expect(guesses.map(({ status }) => status)).toEqual([503, 503])
      })

      it('never tries more passwords than the rate allows, however often it breaks', async () => {
        let tried = 0
        const { proxy, guess, ready } = await login({
          onEvent: ({ kind }) => {
            if (kind === 'user_login_failed') tried += 1
          },
        })
        for (let round = 0; round < 6; round += 1) {
          const guesses = [guess('wrong'), guess('wrong')]
          proxy.cut()
          guesses.push(guess('wrong'))
          const statuses = (await Promise.all(guesses)).map(({ status }) => status)
          for (const status of statuses) expect([400, 429, 503]).toContain(status)
          proxy.mend()
          await ready()
        }
        expect(tried).toBeLessThanOrEqual(3)
        await vi.waitFor(async () => expect((await guess('wrong')).status).not.toBe(503), PATIENCE)
        while ((await guess('wrong')).status !== 429) expect(tried).toBeLessThanOrEqual(3)
        expect(tried).toBeLessThanOrEqual(3)
      })

      it('throttles of routes count on in memory, tell it once, and tell Redis when it is back', async () => {
        const errors: string[] = []
        const { latchkey, proxy, ready } = await login({
          throttles: [throttleByAddress('5/hour')],
          throttleFlushSeconds: 0.02,
          permissions: [],
          onError: (_, { path }) => errors.push(path),
        })
        const gate = latchkey.gate()
        const ask = () => {
          const outcome = gate(fakeRequest())
          if (outcome instanceof Promise) throw new Error('not answered from memory')
          return outcome.refusal?.status ?? 200
        }
        const isFull = async (maxCount: number) => {
          const limit = { maxCount, periodSeconds: 3600 }
          return !(await latchkey.counters.peek('address:5/3600:127.0.0.1', limit, Date.now())).allowed
        }
        expect(ask()).toBe(200)
        await vi.waitFor(async () => expect(await isFull(1)).toBe(true), PATIENCE)
        proxy.cut()
        expect([ask(), ask(), ask(), ask(), ask(), ask()]).toEqual([200, 200, 200, 200, 429, 429])
        await vi.waitFor(() => expect(errors).toEqual(['throttles']), PATIENCE)
        proxy.mend()
        await ready()
        await vi.waitFor(async () => expect(await isFull(5)).toBe(true), PATIENCE)
        expect(errors).toEqual(['throttles'])
      })
    })
  })
}

describe.skipIf(URL_OF_REDIS === null)('redisCounters() in two processes with different clients', () => {
  beforeAll(() => {
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-b', fileURLToPath(new URL('..', import.meta.url))], {
      stdio: 'inherit',
    })
  })

  it('never allow more than the limit together, and lose nothing that they merge', async () => {
    const prefix = newPrefix()
    const file = fileURLToPath(new URL('children/count.mjs', import.meta.url))
    const children = Object.keys(CLIENTS).map((kind) => {
      const child = spawn(process.execPath, [file, kind, url, prefix])
      onTestFinished(() => void child.kill('SIGKILL'))
      child.stderr.pipe(process.stderr)
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
    })
    for (const { lines } of children) expect((await lines.next()).value).toBe('ready')
    for (const { child } of children) child.stdin.write('go\n')
    const allowedMs: number[] = []
    for (const { lines } of children)
      allowedMs.push(...(JSON.parse((await lines.next()).value ?? '') as number[]))
    for (const { child } of children) if (child.exitCode === null) await once(child, 'exit')
    expect(children.map(({ child }) => child.exitCode)).toEqual([0, 0])
    expect(allowedMs.length).toBeGreaterThan(5)
    for (const startMs of allowedMs)
      expect(allowedMs.filter((ms) => ms >= startMs && ms < startMs + 1000).length).toBeLessThanOrEqual(5)
    const { client, ready } = CLIENTS.redis?.(url) ?? { client: undefined, ready: async () => undefined }
    if (client === undefined) throw new Error('no client')
    await ready()
    const limit = { maxCount: 100_000, periodSeconds: 60 }
    const [events = []] = await redisCounters(client, { prefix }).merge(
      [{ key: 'merge', limit, events: [] }],
      1000,
    )
    expect(events.reduce((sum, { count }) => sum + count, 0)).toBe(2 * 200 * 3)
    expect(events).toHaveLength(7)
  })
})

describe('redisCounters()', () => {
  it('names the option that cannot work', () => {
    const client = { call: async () => null }
    for (const timeoutMs of [0, -1, Number.NaN, 60_001])
      expect(() => redisCounters(client, { timeoutMs })).toThrow(/^timeoutMs: /)
  })
})

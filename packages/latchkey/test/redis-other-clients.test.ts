/** Clients beside the plain ones: clusters, pools, clients over HTTP, and what is no client at all. */
import { Cluster, Redis } from 'ioredis'
import { memoryStore, type Store } from 'latchkey'
import { type RedisClient, type RedisConnection, redisBroadcast, redisCounters } from 'latchkey/redis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { countersContract } from '../src/testing/store-contract/counters.js'
import { startCluster } from './redis-cluster.js'
import { findRedis, prefixesOn, withRedis } from './redis-server.js'

const URL_OF_REDIS = await findRedis()
const url = URL_OF_REDIS ?? ''
const newPrefix = prefixesOn(URL_OF_REDIS)
const NODES = URL_OF_REDIS === null ? null : await startCluster()
const PATIENCE = { timeout: 30_000, interval: 20 }

/** Keeps the contract of counters on a client that is opened for each test. */
function keepsTheContract(open: () => RedisClient | Promise<RedisClient>): void {
  countersContract((promise, body) => {
    it(promise, async () => {
      const counters = redisCounters(await open(), { prefix: newPrefix() })
      const store: Store = { ...memoryStore(), counters }
      await body(store)
    })
  })
}

const CLUSTERS: Readonly<Record<string, () => Promise<RedisClient & RedisConnection>>> = {
  async ioredis() {
    const cluster = new Cluster([...(NODES ?? [])])
    cluster.on('error', () => undefined)
    onTestFinished(() => cluster.disconnect())
    return cluster
  },
  async redis() {
    const cluster = createCluster({ rootNodes: (NODES ?? []).map((socket) => ({ socket })) })
    cluster.on('error', () => undefined)
    await cluster.connect()
    onTestFinished(() => cluster.destroy())
    return cluster
  },
}

describe.skipIf(NODES === null).each(Object.keys(CLUSTERS))('a cluster of two servers, with %s', (name) => {
  const open = CLUSTERS[name]!

  keepsTheContract(open)

  it('counts keys of any name, in prefixes with and without a hash tag', async () => {
    const client = await open()
    for (const prefix of ['plain:', 'app:{login}:', '{}:', '}{:', '{', '']) {
      const counters = redisCounters(client, { prefix })
      const limit = { maxCount: 2, periodSeconds: 60 }
      const news = ['a', 'b{x}', '{y}', ''].map((key) => ({
        key,
        limit,
        events: [{ atMs: 1_000_000, count: 1 }],
      }))
      expect((await counters.merge(news, 1_000_000)).map(([event]) => event?.count)).toEqual([1, 1, 1, 1])
      expect((await counters.hit('a', limit, 1_000_001)).allowed).toBe(true)
      expect((await counters.hit('a', limit, 1_000_002)).allowed).toBe(false)
      for (const { key } of news) await counters.clear(key)
    }
  })

  it('tells listeners on every server of it, and stops', async () => {
    const [one, other] = [await open(), await open()]
    const channel = newPrefix()
    const wake = vi.fn()
    const stop = redisBroadcast(one, { channel }).subscribe(wake)
    await vi.waitFor(() => expect(wake).toHaveBeenCalled(), PATIENCE)
    const before = wake.mock.calls.length
    for (let times = 0; times < 5; times += 1) await redisBroadcast(other, { channel }).publish()
    await vi.waitFor(() => expect(wake.mock.calls.length).toBeGreaterThanOrEqual(before + 5), PATIENCE)
    stop()
  })
})

describe.skipIf(URL_OF_REDIS === null)('a pool of redis', () => {
  keepsTheContract(async () => {
    const pool = createClientPool({ url })
    pool.on('error', () => undefined)
    await pool.connect()
    onTestFinished(() => pool.destroy())
    return pool
  })
})

describe.skipIf(URL_OF_REDIS === null)('a client with the methods of @upstash/redis', () => {
  /** Answers are parsed as JSON where they are JSON, as that client does; it knows nothing of connections. */
  class OverHttp {
    readonly #redis: Redis

    constructor(redis: Redis) {
      this.#redis = redis
    }

    evalsha = async (sha: string, keys: string[], args: unknown[]) => {
      const answer = this.#redis.evalsha(sha, keys.length, ...keys, ...args.map(String))
      return deserialized(await answer.catch(failedInPipeline))
    }
    eval = async (script: string, keys: string[], args: unknown[]) =>
      deserialized(await this.#redis.eval(script, keys.length, ...keys, ...args.map(String)))
    del = (...keys: string[]) => this.#redis.del(...keys)
    publish = (channel: string, message: unknown) => this.#redis.publish(channel, String(message))
  }

  function failedInPipeline(error: Error): never {
    throw new Error(`Command failed: ${error.message}`)
  }

  function deserialized(answer: unknown): unknown {
    if (Array.isArray(answer)) return answer.map(deserialized)
    try {
      return typeof answer === 'string' ? (JSON.parse(answer) as unknown) : answer
    } catch {
      return answer
    }
  }

  const open = () => {
    const redis = new Redis(url)
    onTestFinished(() => redis.disconnect())
    return new OverHttp(redis)
  }

  keepsTheContract(open)

  it('sends a script to a server that does not know it', async () => {
    await withRedis(url, (client) => client.scriptFlush())
    const counters = redisCounters(open(), { prefix: newPrefix() })
    expect((await counters.hit('key', { maxCount: 1, periodSeconds: 60 }, 1_000_000)).allowed).toBe(true)
  })

  it('publishes, and another client listens', async () => {
    const channel = newPrefix()
    const subscriber = new Redis(url)
    onTestFinished(() => subscriber.disconnect())
    const wake = vi.fn()
    const broadcast = redisBroadcast({ publisher: open(), subscriber }, { channel })
    broadcast.subscribe(wake)
    await vi.waitFor(() => expect(wake).toHaveBeenCalled(), PATIENCE)
    const before = wake.mock.calls.length
    for (let times = 0; times < 5; times += 1) await broadcast.publish()
    await vi.waitFor(() => expect(wake.mock.calls.length).toBeGreaterThanOrEqual(before + 5), PATIENCE)
  })
})

describe('what is no client', () => {
  const WRONG: Readonly<Record<string, unknown>> = {
    undefined,
    null: null,
    'a URL': 'redis://127.0.0.1:6379',
    'a class that was not called': Redis,
    'an object without methods': {},
    'a promise of a client': Promise.resolve({ call: () => undefined }),
    'a method that is none': { call: true, sendCommand: 1 },
    'half of a client over HTTP': { eval: () => undefined, evalsha: () => undefined },
    'the options of a client': { url: 'redis://127.0.0.1' },
  }

  it.each(Object.keys(WRONG))('is refused when it is given, by name: %s', (name) => {
    const wrong = WRONG[name]
    expect(() => Reflect.apply(redisCounters, undefined, [wrong])).toThrow(
      new TypeError(
        'redisCounters(client): client must be a client of ioredis or redis, a cluster of either, or a client of @upstash/redis',
      ),
    )
    for (const connection of [wrong, { publisher: wrong, subscriber: wrong }, { publisher: wrong }])
      expect(() => Reflect.apply(redisBroadcast, undefined, [connection])).toThrow(
        /^redisBroadcast\(connection\): /,
      )
  })

  it('is refused as a listener where it can only publish', () => {
    const overHttp = { eval: ignore, evalsha: ignore, del: ignore, publish: ignore, subscribe: ignore }
    const client = createClient()
    for (const connection of [overHttp, { publisher: client, subscriber: overHttp }, { subscriber: client }])
      expect(() => Reflect.apply(redisBroadcast, undefined, [connection])).toThrow(TypeError)
  })

  it('is not what the packages give, connected or not', () => {
    const clients = [
      createClient(),
      createClientPool(),
      createCluster({ rootNodes: [] }),
      createSentinel({ name: 'main', sentinelRootNodes: [] }),
      new Redis({ lazyConnect: true }),
      new Cluster([{ port: 1 }], { lazyConnect: true }),
    ]
    for (const client of clients) expect(redisCounters(client)).toHaveProperty('hit')
  })
})

async function ignore(): Promise<void> {}

/** The Redis of the `redis` setting: what is counted in it and told over it, on one client. `open.ts` and `check` open it. */
import { setTimeout as after } from 'node:timers/promises'
import type { RedisOptions } from 'ioredis'
import type { Broadcast } from 'latchkey'
import { redisBroadcast, redisCounters } from 'latchkey/redis'
import { CommandError } from './output.js'

/** A server connects at once, for as long as it runs. A command does when it has something to tell, and tries once. */
export type RedisUse = 'server' | 'command'

export interface RedisListener {
  /** Once for each time that Redis cannot be asked; the reason has no user or password in it. */
  away(reason: string): void
  back(): void
}

export interface OpenRedis {
  readonly counters: ReturnType<typeof redisCounters>
  readonly broadcast: Broadcast
  /** To be called after the store is closed. Waits for what was told last, and ends however Redis is. */
  close(): Promise<void>
}

/** What is silent for longer is given up: a connection, a command, the wait for the first connection. */
const SILENT_MS = 2000
/** What an open connection gets to close; one that is closed already, the client waits for just as long. */
const CLOSING_MS = 100
const LONGEST_RETRY_MS = 1000

type Lasting = Pick<RedisOptions, 'enableOfflineQueue' | 'retryStrategy'>

const LASTING: { readonly [Use in RedisUse]: Lasting } = {
  server: {
    // What cannot be sent now is refused now: nobody waits for a Redis that is away.
    enableOfflineQueue: false,
    retryStrategy: (tries) => Math.min(tries * 50, LONGEST_RETRY_MS),
  },
  command: { retryStrategy: null },
}

/** Where a Redis is, for messages: no user and no password. */
export function redisPlace(address: string): string {
  const { protocol, host, pathname } = new URL(address)
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
}

/**
 * Connects to an address that the settings have checked. A Redis that is away is not waited for, and no error.
 * @throws CommandError without the package that does it
 */
export async function openRedis(address: string, use: RedisUse, listener: RedisListener): Promise<OpenRedis> {
  const Client = await loadClient()
  let isAway = false
  let isClosing = false
  const away = (reason: string) => {
    if (isAway || isClosing) return
    isAway = true
    listener.away(reason)
  }
  const client = new Client(address, {
    ...LASTING[use],
    lazyConnect: true,
    connectTimeout: SILENT_MS,
    commandTimeout: SILENT_MS,
    socketTimeout: SILENT_MS,
    disconnectTimeout: CLOSING_MS,
    // A command whose answer is lost may have arrived: it is not sent again.
    maxRetriesPerRequest: 0,
    // It became a replica, and another server took over: that one may have the address by now.
    reconnectOnError(error) {
      const isReplica = error.message.startsWith('READONLY')
      if (isReplica) away(reasonOf(error))
      return isReplica
    },
  })
  const end = () => {
    isClosing = true
    client.disconnect()
  }
  client.on('error', (error) => {
    away(reasonOf(error))
    // The client would go on in database 0, where another project may count.
    if (isOfSelect(error)) end()
  })
  client.on('close', () => away('the connection was closed'))
  client.on('ready', () => {
    if (isAway && !isClosing) listener.back()
    isAway = false
  })
  if (use === 'server') {
    const connected = client.connect().catch(() => undefined)
    await Promise.race([connected, after(SILENT_MS, undefined, { ref: false })])
    if (client.status !== 'ready') away('it does not answer')
  }
  const over = redisBroadcast(client)
  const untold = new Set<unknown>()
  return {
    counters: redisCounters(client),
    broadcast: {
      async publish() {
        const telling = over.publish()
        untold.add(telling)
        try {
          await telling
        } catch (error) {
          away(reasonOf(error))
          throw error
        } finally {
          untold.delete(telling)
        }
      },
      // A command remembers nothing that others could change.
      subscribe: (wake) => (use === 'server' ? over.subscribe(wake) : () => undefined),
    },
    async close() {
      await Promise.allSettled(untold)
      end()
    },
  }
}

/**
 * What keeps a Redis from counting and telling, or null: one may be there and refuse it.
 * @throws CommandError without the package that asks
 */
export async function redisTrouble(address: string): Promise<string | null> {
  const reasons: string[] = []
  const listener = { away: (reason: string) => void reasons.push(reason), back: () => undefined }
  const redis = await openRedis(address, 'command', listener)
  try {
    await redis.counters.peek('latchkey check', { maxCount: 1, periodSeconds: 1 }, Date.now())
    await redis.broadcast.publish()
  } catch (error) {
    reasons.push(reasonOf(error))
  }
  await redis.close()
  const [reason] = reasons
  return reason === undefined ? null : `${redisPlace(address)}: ${reason}`
}

/** Why, as the system or Redis says it: neither repeats what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  // Where a name has several addresses, and none of them answers, Node leaves the message empty.
  const reason = error.message || ('code' in error ? String(error.code) : error.name)
  return reason.replace(/\.+$/, '')
}

/** Whether the database that the address names was refused. */
function isOfSelect(error: object): boolean {
  const command: unknown = Reflect.get(error, 'command')
  return typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
}

async function loadClient() {
  try {
    return (await import('ioredis')).Redis
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw error
    const advice = 'LATCHKEY_REDIS: needs the package ioredis, which is not installed: `npm install ioredis`'
    throw new CommandError(advice, { cause: error })
  }
}

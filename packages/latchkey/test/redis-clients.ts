/** Both clients, as an app makes them, for tests that hold for either. */
import { Redis } from 'ioredis'
import type { RedisClient, RedisConnection } from 'latchkey/redis'
import { createClient } from 'redis'
import { onTestFinished } from 'vitest'

/** Reconnects soon, so that tests wait for little. */
const RECONNECT_MS = 20

export interface OpenClient {
  readonly client: RedisClient & RedisConnection
  /** Resolves when the connection is there, for the first time or again. */
  ready(): Promise<void>
  close(): void
}

type Open = (url: string) => OpenClient

export const CLIENTS: Readonly<Record<string, Open>> = {
  ioredis: (url) => ioredis(url, {}),
  redis: (url) => redis(url, {}),
}

/** And such that give up a command at once while there is no connection, instead of keeping it. */
export const ALL_CLIENTS: Readonly<Record<string, Open>> = {
  ...CLIENTS,
  'ioredis without a queue': (url) => ioredis(url, { enableOfflineQueue: false }),
  'redis without a queue': (url) => redis(url, { disableOfflineQueue: true }),
}

function ioredis(url: string, options: { readonly enableOfflineQueue?: boolean }): OpenClient {
  const client = new Redis(url, { ...options, retryStrategy: () => RECONNECT_MS })
  client.on('error', () => undefined)
  const close = () => client.disconnect()
  onTestFinished(close)
  return { client, ready: () => untilReady(() => client.status === 'ready'), close }
}

function redis(url: string, options: { readonly disableOfflineQueue?: boolean }): OpenClient {
  const client = createClient({ ...options, url, socket: { reconnectStrategy: () => RECONNECT_MS } })
  client.on('error', () => undefined)
  client.connect().catch(() => undefined)
  const close = () => {
    if (client.isOpen) client.destroy()
  }
  onTestFinished(close)
  return { client, ready: () => untilReady(() => client.isReady), close }
}

async function untilReady(isReady: () => boolean): Promise<void> {
  while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** The broadcast over Redis: nodes publish to one channel and listen to it. Implements broadcast.ts. */
import type { Broadcast } from '../broadcast/broadcast.js'
import { checkOptions, hasMember, hasMethods, TEXT } from '../options.js'
import { commandsOf, type RedisClient } from './client.js'

/** What hears messages: a client of `ioredis` or of `redis`, which while it listens can do nothing else. */
export type RedisSubscriber = IoRedisSubscriber | NodeRedisSubscriber | NodeRedisClusterSubscriber

interface IoRedisSubscriber {
  call(command: string, ...args: string[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string) => void): unknown
  on(event: 'ready' | 'error', listener: () => void): unknown
  off(event: 'message', listener: (channel: string) => void): unknown
  off(event: 'ready', listener: () => void): unknown
}

interface NodeRedisSubscriber {
  sendCommand(args: string[]): Promise<unknown>
  subscribe(channel: string, listener: () => void): Promise<unknown>
  unsubscribe(channel: string, listener: () => void): Promise<unknown>
  on(event: 'ready' | 'error', listener: () => void): unknown
  off(event: 'ready', listener: () => void): unknown
}

interface NodeRedisClusterSubscriber {
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): Promise<unknown>
  nodeClient(node: never): unknown
  subscribe(channel: string, listener: () => void): Promise<unknown>
  unsubscribe(channel: string, listener: () => void): Promise<unknown>
  on(event: 'ready' | 'connect' | 'node-ready' | 'error', listener: () => void): unknown
  off(event: 'ready' | 'connect' | 'node-ready', listener: () => void): unknown
}

/** A client that can be doubled, for a connection that listens. */
export type RedisConnection =
  | (IoRedisSubscriber & {
      duplicate(): IoRedisSubscriber & { connect(): Promise<unknown>; disconnect(): void }
    })
  | (NodeRedisSubscriber & {
      duplicate(): NodeRedisSubscriber & { connect(): Promise<unknown>; destroy(): void }
    })
  | (NodeRedisClusterSubscriber & {
      duplicate(): NodeRedisClusterSubscriber & { connect(): Promise<unknown>; destroy(): void }
    })

export interface RedisBroadcastOptions {
  /** Default is `latchkey:changes`. Nodes of one store have the same, and those of another store another one. */
  readonly channel?: string
}

/**
 * Tells other nodes over Redis to look for changes. Redis keeps nothing, and nodes that miss a message look at their
 * interval all the same.
 *
 * @param connection one client of `ioredis` or `redis`, or a cluster of either, of which a second connection is made while
 *   there are listeners; or two of your own
 * @throws TypeError for a client that cannot publish or listen, and for a wrong option
 */
export function redisBroadcast(
  connection: RedisConnection | { readonly publisher: RedisClient; readonly subscriber: RedisSubscriber },
  options: RedisBroadcastOptions = {},
): Broadcast {
  checkOptions('redisBroadcast', options, { channel: TEXT })
  const { channel = 'latchkey:changes' } = options
  checkConnection(connection)
  const publisher = commandsOf(
    'redisBroadcast(connection): the publisher',
    'publisher' in connection ? connection.publisher : connection,
  )
  const wakes = new Set<() => void>()
  const wakeAll = () => {
    for (const wake of [...wakes]) wake()
  }
  let stopListening = () => {}
  return Object.freeze({
    async publish() {
      await publisher.publish(channel)
    },
    subscribe(wake: () => void) {
      // A function of its own, so that one listener may subscribe twice.
      const own = () => wake()
      if (wakes.size === 0) {
        stopListening =
          'publisher' in connection
            ? listen(connection.subscriber, channel, wakeAll)
            : listenOnDouble(connection, channel, wakeAll)
      }
      wakes.add(own)
      return () => {
        if (wakes.delete(own) && wakes.size === 0) stopListening()
      }
    },
  })
}

const canListen = hasMethods('subscribe', 'unsubscribe', 'on', 'off')

/** @throws TypeError */
function checkConnection(connection: Parameters<typeof redisBroadcast>[0]): void {
  const isPair = hasMember('publisher')(connection)
  const subscriber: unknown = isPair ? Reflect.get(connection, 'subscriber') : connection
  const isClient = hasMethods('call')(subscriber) || hasMethods('sendCommand')(subscriber)
  if (!isClient || !canListen(subscriber) || !(isPair || hasMethods('duplicate')(subscriber))) {
    const what = isPair ? 'the subscriber' : 'connection'
    throw new TypeError(
      `redisBroadcast(connection): ${what} must be a client of ioredis or redis that can listen, or a cluster of either`,
    )
  }
}

const CLUSTER_EVENTS = Object.freeze(['connect', 'node-ready'] as const)

/** Calls `wake` for every message, and whenever messages can be heard again. Returns the way to stop. */
function listen(subscriber: RedisSubscriber, channel: string, wake: () => void): () => void {
  const isIoRedis = 'call' in subscriber
  const hear = (name: string) => {
    if (name === channel) wake()
  }
  const subscribe = () => {
    const subscribed = isIoRedis ? subscriber.subscribe(channel) : subscriber.subscribe(channel, wake)
    // Not before: what was published until then is not heard. Where it fails, the next connection tries again.
    subscribed.then(wake, ignore)
  }
  if (isIoRedis) subscriber.on('message', hear)
  subscriber.on('ready', subscribe)
  // A cluster of `redis` is never ready as a whole. Subscribing twice adds nothing.
  if ('nodeClient' in subscriber) for (const event of CLUSTER_EVENTS) subscriber.on(event, subscribe)
  subscribe()
  return () => {
    subscriber.off('ready', subscribe)
    if ('nodeClient' in subscriber) for (const event of CLUSTER_EVENTS) subscriber.off(event, subscribe)
    if (isIoRedis) subscriber.off('message', hear)
    const unsubscribed = isIoRedis ? subscriber.unsubscribe(channel) : subscriber.unsubscribe(channel, wake)
    unsubscribed.catch(ignore)
  }
}

function listenOnDouble(connection: RedisConnection, channel: string, wake: () => void): () => void {
  const double = connection.duplicate()
  // Trouble shows on the client that it was made of; unheard, it would end the process.
  double.on('error', ignore)
  // `ioredis` may have begun by itself.
  double.connect().catch(ignore)
  const stop = listen(double, channel, wake)
  return () => {
    stop()
    if ('destroy' in double) double.destroy()
    else double.disconnect()
  }
}

function ignore(): void {}

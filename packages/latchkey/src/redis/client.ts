/**
 * Redis as far as it is used here: clients of `ioredis`, `redis` and `@upstash/redis` fit as they are, and none is a
 * dependency.
 */
import { hash } from 'node:crypto'
import { LatchkeyError, messageOf } from '../errors.js'
import { hasMethods } from '../options.js'

/** A client of `ioredis`, or its `Cluster`. */
export interface IoRedisClient {
  call(command: string, ...args: string[]): Promise<unknown>
}

/** A client of `redis`, or its pool. */
export interface NodeRedisClient {
  sendCommand(args: string[]): Promise<unknown>
}

/** `createCluster` of `redis`. */
export interface NodeRedisCluster {
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): Promise<unknown>
  nodeClient(node: never): unknown
}

/** `createSentinel` of `redis`. */
export interface NodeRedisSentinel {
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>
  getMasterNode(): unknown
}

/** A client of `@upstash/redis`, which speaks HTTP. */
export interface UpstashClient {
  evalsha(sha: string, keys: string[], args: string[]): Promise<unknown>
  eval(script: string, keys: string[], args: string[]): Promise<unknown>
  del(key: string): Promise<unknown>
  publish(channel: string, message: string): Promise<unknown>
}

/** What sends commands. */
export type RedisClient =
  | IoRedisClient
  | NodeRedisClient
  | NodeRedisCluster
  | NodeRedisSentinel
  | UpstashClient

/** The commands that are used here, whichever client sends them. */
export interface RedisCommands {
  /** Whether keys are spread over several servers, of which a script reaches one. */
  readonly isCluster: boolean
  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  eval(text: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  delete(key: string): Promise<unknown>
  publish(channel: string): Promise<unknown>
}

/** By what each client has that those below it have not. */
const KINDS: ReadonlyArray<
  readonly [methods: readonly string[], commands: (client: never) => RedisCommands]
> = [
  [
    ['call'],
    (client: IoRedisClient) =>
      sending(
        (_key, command, ...args) => client.call(command, ...args),
        Reflect.get(client, 'isCluster') === true,
      ),
  ],
  [
    ['sendCommand', 'nodeClient'],
    (client: NodeRedisCluster) => sending((key, ...args) => client.sendCommand(key, false, args), true),
  ],
  [
    ['sendCommand', 'getMasterNode'],
    (client: NodeRedisSentinel) => sending((_key, ...args) => client.sendCommand(false, args), false),
  ],
  [['sendCommand'], (client: NodeRedisClient) => sending((_key, ...args) => client.sendCommand(args), false)],
  [
    ['evalsha', 'eval', 'del', 'publish'],
    (client: UpstashClient) => ({
      isCluster: false,
      evalSha: (sha, keys, args) => client.evalsha(sha, [...keys], [...args]),
      eval: (text, keys, args) => client.eval(text, [...keys], [...args]),
      delete: (key) => client.del(key),
      publish: (channel) => client.publish(channel, ''),
    }),
  ],
]

/**
 * @param name what the client was given as, for the message: `redisCounters(client): client`
 * @throws TypeError for what is none of the clients that fit
 */
export function commandsOf(name: string, client: RedisClient): RedisCommands {
  const [, commands] = KINDS.find(([methods]) => hasMethods(...methods)(client)) ?? []
  if (commands === undefined) {
    throw new TypeError(
      `${name} must be a client of ioredis or redis, a cluster of either, or a client of @upstash/redis`,
    )
  }
  return commands(client as never)
}

/** @param send one command; the first argument is the key by which a cluster finds the server */
function sending(
  send: (firstKey: string | undefined, command: string, ...args: string[]) => Promise<unknown>,
  isCluster: boolean,
): RedisCommands {
  const scripted = (command: string) => (script: string, keys: readonly string[], args: readonly string[]) =>
    send(keys[0], command, script, String(keys.length), ...keys, ...args)
  return {
    isCluster,
    evalSha: scripted('EVALSHA'),
    eval: scripted('EVAL'),
    delete: (key) => send(key, 'DEL', key),
    publish: (channel) => send(undefined, 'PUBLISH', channel, ''),
  }
}

/** A Lua script, which Redis runs as one atomic change. */
export interface Script {
  readonly text: string
  readonly sha: string
}

export function script(text: string): Script {
  return { text, sha: hash('sha1', text) }
}

/** Redis's error code; `@upstash/redis` says before it that a command of a pipeline failed. */
const NO_SCRIPT = /^(?:Command (?:\d+ \[ \w+ \] )?failed: )?NOSCRIPT\b/

/** Runs a script by its name; its text is sent only to a server that does not know it, or was restarted. */
export async function runScript(
  commands: RedisCommands,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  try {
    return await commands.evalSha(sha, keys, args)
  } catch (error) {
    if (!NO_SCRIPT.test(messageOf(error))) throw error
    return commands.eval(text, keys, args)
  }
}

/**
 * An answer within the time, or `store_unavailable`: clients keep commands for a server that they cannot reach, for as
 * long as it takes.
 */
export async function answerWithin<Answer>(answer: Promise<Answer>, timeoutMs: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, end])
  } catch (cause) {
    const detail = `redis: ${messageOf(cause)}`
    throw new LatchkeyError('store_unavailable', { detail, retryAfterSeconds: 1, cause })
  } finally {
    clearTimeout(timer)
  }
}

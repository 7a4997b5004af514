/** Redis as far as it is used here: clients of `ioredis` and of `redis` fit as they are, and neither is a dependency. */
import { hash } from 'node:crypto'
import { LatchkeyError, messageOf } from '../errors.js'

/** What sends commands: a client of `ioredis` or of `redis`. */
export type RedisClient =
  | { call(command: string, ...args: string[]): Promise<unknown> }
  | { sendCommand(args: string[]): Promise<unknown> }

/** Sends one command and gives its answer, whichever client it is. */
export function send(client: RedisClient, command: string, ...args: string[]): Promise<unknown> {
  // `redis` has no `call`; `ioredis` has a `sendCommand`, and it is another one.
  return 'call' in client ? client.call(command, ...args) : client.sendCommand([command, ...args])
}

/** A Lua script, which Redis runs as one atomic change. */
export interface Script {
  readonly text: string
  readonly sha: string
}

export function script(text: string): Script {
  return { text, sha: hash('sha1', text) }
}

/** Runs a script by its name; its text is sent only to a server that does not know it, or was restarted. */
export async function runScript(
  client: RedisClient,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await send(client, 'EVALSHA', sha, ...rest)
  } catch (error) {
    if (!messageOf(error).startsWith('NOSCRIPT')) throw error
    return send(client, 'EVAL', text, ...rest)
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

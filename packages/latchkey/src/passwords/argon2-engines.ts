/** Where Argon2 is computed: by the peer in threads of our own, by the peer in libuv's, or by Node. `argon2id.ts` takes the first there is. */
import * as nodeCrypto from 'node:crypto'
import { createHashThreads } from './hash-threads.js'
import { createHashTurns, defaultConcurrency, type HashTurns, inTurn } from './hash-turns.js'

export type Argon2Variant = 'argon2d' | 'argon2i' | 'argon2id'

export interface Argon2Settings {
  readonly variant: Argon2Variant
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
}

/** Computes Argon2 version 1.3 off the event loop, in one of the turns if there are any. */
export type Argon2 = (
  password: Buffer,
  settings: Argon2Settings,
  digestBytes: number,
  turns?: HashTurns,
) => Promise<Uint8Array>

/** A place where Argon2 may be found; null when this machine does not have it. */
export type Argon2Engine = () => Promise<Argon2 | null>

/** The numbers of `Algorithm` in @node-rs/argon2. */
const PEER_VARIANTS = { argon2d: 0, argon2i: 1, argon2id: 2 } as const

/** The options of @node-rs/argon2. */
const peerOptions = ({ variant, memoryKib, passes, parallelism }: Argon2Settings, outputLen: number) => ({
  algorithm: PEER_VARIANTS[variant],
  memoryCost: memoryKib,
  timeCost: passes,
  parallelism,
  outputLen,
})

/** The least that Argon2 allows: tells whether an engine works at all. */
const SMALLEST: Argon2Settings = {
  variant: 'argon2id',
  memoryKib: 8,
  passes: 1,
  parallelism: 1,
  salt: Buffer.alloc(8),
}

const works = (argon2: Argon2) =>
  argon2(Buffer.alloc(1), SMALLEST, 4).then(
    () => true,
    () => false,
  )

/**
 * On Linux a thread can have a priority of its own: where it shares a core with the event loop, which answers everybody,
 * it gets a quarter of it. Elsewhere the whole process would be slowed. More than 5 made nobody's answers quicker, and
 * gives the hashes less beside other programs.
 */
const NICENESS = 5

/** CommonJS, and text: so it runs the same from the sources, from what is built and from a bundle. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { hashRawSync } = require(workerData.peer)
if (process.platform === 'linux') {
  try {
    require('node:os').setPriority(0, ${NICENESS})
  } catch {}
}
parentPort.on('message', ({ password, options }) => {
  try {
    parentPort.postMessage({ digest: Uint8Array.from(hashRawSync(password, options)) })
  } catch (error) {
    parentPort.postMessage({ error: String(error && error.message) })
  } finally {
    password.fill(0)
  }
})
`

/** Processors and memory are the process's, so its hashers share the threads. */
let processThreads: Promise<Argon2 | null> | undefined

/**
 * The optional peer in threads of our own. Null when it is not installed or has no binary for this machine, and where
 * threads cannot be had (Node's permission model, runtimes that only resemble Node).
 */
export const threadEngine: Argon2Engine = () => {
  processThreads ??= startThreads().catch(() => null)
  return processThreads
}

async function startThreads(): Promise<Argon2 | null> {
  const [{ Worker }, { createRequire }] = await Promise.all([
    import('node:worker_threads'),
    import('node:module'),
  ])
  const peer = createRequire(import.meta.url).resolve('@node-rs/argon2')
  const threads = createHashThreads(
    () =>
      // Flags of the process (loaders, hooks, --input-type) are for its own code.
      new Worker(THREAD, { eval: true, name: 'latchkey argon2', execArgv: [], workerData: { peer } }),
  )
  const unqueued = createHashTurns(defaultConcurrency())
  const argon2: Argon2 = (password, settings, digestBytes, turns = unqueued) => {
    // Copies, for a message takes along the whole buffer beneath a view: for small ones that is a pool which others use.
    const message = {
      password: new Uint8Array(password),
      options: { ...peerOptions(settings, digestBytes), salt: new Uint8Array(settings.salt) },
    }
    const work = settings.memoryKib * settings.passes
    return threads.run({ message, moved: [message.password.buffer], work }, turns)
  }
  return (await works(argon2)) ? argon2 : null
}

/** The optional peer in libuv's threads; null when it is not installed or has no binary for this machine. */
export const peerEngine: Argon2Engine = async () => {
  const peer = await import('@node-rs/argon2').catch(() => null)
  if (peer === null) return null
  return (password, settings, digestBytes, turns) =>
    inTurn(turns, () =>
      peer.hashRaw(password, { ...peerOptions(settings, digestBytes), salt: settings.salt }),
    )
}

/** Node's `crypto.argon2`, as far as it is used; the types of Node 20 do not have it. */
type NodeArgon2 = (
  variant: Argon2Variant,
  parameters: {
    message: Uint8Array
    nonce: Uint8Array
    memory: number
    passes: number
    parallelism: number
    tagLength: number
  },
  done: (error: Error | null, digest: Uint8Array) => void,
) => void

/** Node's own. Tried once: a Node that is linked to an OpenSSL before 3.2 has the function, but it throws. */
export const nodeEngine: Argon2Engine = async () => {
  const candidate: unknown = Reflect.get(nodeCrypto, 'argon2')
  if (typeof candidate !== 'function') return null
  const compute = candidate as NodeArgon2
  const argon2: Argon2 = (message, settings, tagLength, turns) => {
    const { variant, memoryKib: memory, passes, parallelism, salt: nonce } = settings
    const parameters = { message, nonce, memory, passes, parallelism, tagLength }
    return inTurn(
      turns,
      () =>
        new Promise((resolve, reject) => {
          compute(variant, parameters, (error, digest) => (error ? reject(error) : resolve(digest)))
        }),
    )
  }
  return (await works(argon2)) ? argon2 : null
}

// For the child processes: they run what is built, as another server on the same file would.
import { sqlite } from '../../dist/index.js'

const [, , path, ...args] = process.argv

export { args, path, sqlite }

export const say = (message) => process.stdout.write(`${message}\n`)

export function newToken(userId, number, fields = {}) {
  const digest = Buffer.alloc(32)
  digest.writeUInt32BE(number)
  return {
    policy: 'knox',
    userId,
    digest,
    hint: '',
    sealed: null,
    name: '',
    createdAt: new Date(1000),
    expiresAt: null,
    onePerUser: false,
    limitPerUser: null,
    ...fields,
  }
}

/** Resolves when the parent writes a line: everybody starts at once. */
export const started = () => new Promise((resolve) => process.stdin.once('data', resolve))

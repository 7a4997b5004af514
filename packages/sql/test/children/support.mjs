// For the child processes: they run what is built, as another server on the same database would.
import { postgres, sqlite } from '../../dist/index.js'

const [, , place, ...args] = process.argv

export { args, place }

/** The database that the first argument names: a file, or an address and options of PostgreSQL as JSON. */
export function open() {
  if (!place.startsWith('{')) return sqlite(place)
  const { url, ...options } = JSON.parse(place)
  return postgres(url, options)
}

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

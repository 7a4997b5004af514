/** What was told already, by transaction: own changes come back through the table, sometimes before they were told. */
import type { Change } from 'latchkey'

/** Of so many transactions it is remembered; of older ones something may be told twice, which harms nobody. */
const REMEMBERED = 1000

export class Told {
  readonly #keys = new Map<string, Set<string>>()

  /** Tells a change of this transaction, unless it was told; one that a listener could not take was not. */
  once(xid: string, change: Change, tell: (change: Change) => void): void {
    const keys = this.#keysOf(xid)
    const key = keyOf(change)
    if (keys.has(key)) return
    tell(change)
    keys.add(key)
  }

  /** For another server, which gives the same numbers to other transactions. */
  clear(): void {
    this.#keys.clear()
  }

  #keysOf(xid: string): Set<string> {
    const known = this.#keys.get(xid)
    if (known !== undefined) return known
    const [oldest] = this.#keys.size < REMEMBERED ? [] : this.#keys.keys()
    if (oldest !== undefined) this.#keys.delete(oldest)
    const keys = new Set<string>()
    this.#keys.set(xid, keys)
    return keys
  }
}

function keyOf(change: Change): string {
  switch (change.kind) {
    case 'token':
      return `token ${Buffer.from(change.digest).toString('base64')}`
    case 'user':
      return `user ${JSON.stringify(change.userId)}`
    case 'jwt':
      return `jwt ${change.jti}`
    case 'keys':
    case 'all':
      return change.kind
  }
}

/** The memory store's samples of stored hashes: one for each cost that users have. */

interface Sample {
  readonly hash: string
  users: number
}

export class HashSamples {
  readonly #byCost = new Map<string, Sample>()

  /** Counts a stored hash; `before` is the one that it replaces. */
  replace(before: string | undefined, hash: string | undefined): void {
    if (before === hash) return
    const old = before === undefined ? undefined : this.#byCost.get(costOf(before))
    if (before !== undefined && old !== undefined) {
      old.users -= 1
      if (old.users === 0) this.#byCost.delete(costOf(before))
    }
    if (hash === undefined) return
    const sample = this.#byCost.get(costOf(hash))
    if (sample === undefined) this.#byCost.set(costOf(hash), { hash, users: 1 })
    else sample.users += 1
  }

  list(): readonly string[] {
    return [...this.#byCost.values()].map(({ hash }) => hash)
  }
}

/** Which of a hash's parts between `$` are parameters, by its first part; of others only the first one is. */
const PARAMETERS: Readonly<Record<string, readonly number[]>> = Object.freeze({
  pbkdf2_sha256: [1],
  pbkdf2_sha1: [1],
  argon2: [3],
  bcrypt: [3],
  bcrypt_sha256: [3],
  scrypt: [1, 3, 4],
  '': [1, 2, 3],
})

/** Algorithm and parameters without salt and digest. Passwords that cannot be right, and bare digests, are alike. */
function costOf(hash: string): string {
  const [algorithm = '', ...rest] = hash.split('$')
  if (rest.length === 0 || algorithm.startsWith('!')) return '!'
  const indexes = Object.hasOwn(PARAMETERS, algorithm) ? PARAMETERS[algorithm] : undefined
  const known = algorithm === '' && !rest[0]?.startsWith('argon2') ? [1, 2] : (indexes ?? [])
  return [algorithm, ...known.map((index) => rest[index - 1])].join('$')
}

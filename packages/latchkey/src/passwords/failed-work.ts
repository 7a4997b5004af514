/**
 * The work that a failed check does besides that of its own hash, so that the time tells nothing: for each cost that
 * stored hashes have, as much as the costliest hash of that kind.
 */
import { randomInt } from 'node:crypto'
import { isLatchkeyError } from '../errors.js'
import type { HashWork, PasswordHasher } from './hasher.js'

/** Kinds of work that a failed check does at most: each one makes every failed login slower. */
export const MAX_WORK_KINDS = 8

interface KnownWork {
  readonly work: HashWork
  readonly hasher: PasswordHasher
}

/** Decoys by kind and amount of their work: making new ones for every failed login would take time of its own. */
export class Decoys {
  readonly #byWork = new Map<string, readonly string[]>()

  of(work: HashWork, amount: number): readonly string[] {
    if (amount <= 0) return []
    const key = `${work.kind} ${amount}`
    const known = this.#byWork.get(key)
    if (known !== undefined) return known
    if (this.#byWork.size >= MAX_DECOYS) this.#byWork.clear()
    const made = work.decoys(amount)
    this.#byWork.set(key, made)
    return made
  }
}

const MAX_DECOYS = 256

export interface FailedWorkOptions {
  readonly readers: readonly PasswordHasher[]
  readonly decoys: Decoys
  /** Called for a kind beyond `MAX_WORK_KINDS`, which is left out. */
  readonly onTooMany: () => void
}

/** Kinds of work, each with the most that is known of it. */
export class FailedWork {
  readonly #byKind = new Map<string, KnownWork>()
  readonly #readers: readonly PasswordHasher[]
  readonly #decoys: Decoys
  readonly #onTooMany: () => void

  constructor({ readers, decoys, onTooMany }: FailedWorkOptions) {
    this.#readers = readers
    this.#decoys = decoys
    this.#onTooMany = onTooMany
  }

  /** True when some work that takes time is known. */
  get isKnown(): boolean {
    return this.#byKind.size > 0
  }

  /** Adds the cost of a stored hash. Those that no reader recognises have none. */
  add(encoded: string): void {
    const known = knownWork(this.#readers, encoded)
    if (known === null || known.work.amount <= 0) return
    const most = this.#byKind.get(known.work.kind)
    if (most === undefined && this.#byKind.size >= MAX_WORK_KINDS) this.#onTooMany()
    else if (most === undefined || most.work.amount < known.work.amount)
      this.#byKind.set(known.work.kind, known)
  }

  /**
   * Does all of it, as for a user who has a hash of any of the kinds: so that not even the order of the work tells that
   * there is no such user.
   */
  async doAll(password: string): Promise<void> {
    const kinds = [...this.#byKind.values()]
    const { work } = kinds[randomInt(Math.max(1, kinds.length))] ?? {}
    const [decoy] = work === undefined ? [] : this.#decoys.of(work, work.amount)
    if (decoy === undefined) return
    const hasher = readerOf(this.#readers, decoy)
    if (hasher !== undefined) await tryVerify(hasher, password, decoy)
    await this.doRest(password, decoy)
  }

  /** Does all of it except what was done for the hash that was checked. */
  async doRest(password: string, checked: string): Promise<void> {
    const done = knownWork(this.#readers, checked)?.work
    for (const { work, hasher } of this.#byKind.values()) {
      const rest = work.amount - (done?.kind === work.kind ? done.amount : 0)
      for (const decoy of this.#decoys.of(work, rest)) await tryVerify(hasher, password, decoy)
    }
  }
}

/** The hasher that reads a stored string. `!` marks an unusable password, whatever a hasher thinks of the rest. */
export function readerOf(readers: readonly PasswordHasher[], encoded: string): PasswordHasher | undefined {
  return encoded.startsWith('!') ? undefined : readers.find((one) => one.recognises(encoded))
}

function knownWork(readers: readonly PasswordHasher[], encoded: string): KnownWork | null {
  const hasher = readerOf(readers, encoded)
  if (hasher === undefined) return null
  const work = hasher.workOf ? hasher.workOf(encoded) : workOfDecoy(hasher)
  return work === null ? null : { work, hasher }
}

function workOfDecoy(hasher: PasswordHasher): HashWork {
  return { kind: hasher.algorithm, amount: 1, decoys: (amount) => (amount > 0 ? [hasher.decoy()] : []) }
}

/** A format whose package is missing fails for its own users, and not for all others as well. */
async function tryVerify(hasher: PasswordHasher, password: string, decoy: string): Promise<void> {
  try {
    await hasher.verify(password, decoy)
  } catch (error) {
    if (!isLatchkeyError(error, 'internal_error')) throw error
  }
}

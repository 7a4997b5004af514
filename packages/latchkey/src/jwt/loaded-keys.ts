/**
 * The store's signing keys in memory: which one signs at this moment, and which verify. The JWT service asks it for every
 * token; the change feed makes it read again.
 */
import type { Clock } from '../clock.js'
import type { SealedSigningKey } from '../crypto/sealed-record.js'
import { LatchkeyError } from '../errors.js'
import type { Sealer } from '../sealing/sealer.js'
import type { SigningKeyRecord, Store } from '../stores/store.js'
import { verifyingKeyOf } from './jwks.js'
import { type SigningKey, signingKey, type VerifyingKey } from './signing-key.js'

interface LoadedKey {
  readonly record: SigningKeyRecord
  readonly verify: VerifyingKey
  /** Unsealed when it first signs. */
  sign: SigningKey | undefined
}

const READ_AGAIN_MS = 1000

export class LoadedKeys {
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #clock: Clock
  #keys: ReadonlyMap<string, LoadedKey> = new Map()
  #isStale = true
  #loading: Promise<void> | undefined
  /** The reading after `#followed`, for those who came when that had begun. */
  #following: Promise<void> | undefined
  #followed: Promise<void> | undefined
  #nextEndMs = Number.POSITIVE_INFINITY
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(store: Store, sealer: Sealer, clock: Clock) {
    this.#store = store
    this.#sealer = sealer
    this.#clock = clock
    store.changes.subscribe(({ kind }) => {
      if (kind === 'keys' || kind === 'all') this.#isStale = true
    })
  }

  /**
   * Makes what follows as the store has it at this moment. Undefined: it is already. Each caller waits for one reading that
   * begins after its call, and for no more: where a feed cannot say what it missed, every call makes the keys stale.
   */
  ready(): Promise<void> | undefined {
    this.#store.changes.catchUp()
    if (!this.#isStale) return this.#loading
    if (this.#loading === undefined) return this.#load()
    const before = this.#loading
    if (this.#followed !== before) {
      this.#followed = before
      this.#following = before
        .catch(() => undefined)
        .then(() => this.#loading ?? (this.#isStale ? this.#load() : undefined))
    }
    return this.#following
  }

  /**
   * Reads again because a token names a key that is not here: where changes arrive late, another process may have made
   * it. Undefined when they were read less than a second ago, so that invented kids cost next to nothing.
   */
  readAgain(): Promise<void> | undefined {
    if (this.#clock.nowMs() - this.#readAtMs < READ_AGAIN_MS) return undefined
    this.#isStale = true
    return this.ready()
  }

  /** The key that signs now. Throws `signing_key_missing`; `sealing_key_missing` when it cannot be opened. */
  signing(): SigningKey {
    const records = [...this.#keys.values()].map(({ record }) => record)
    const record = signingAt(records, this.#clock.nowMs())
    const key = record && this.#keys.get(record.kid)
    if (key === undefined) {
      const detail = 'there is no signing key: run `latchkey keys generate`'
      throw new LatchkeyError('signing_key_missing', { detail })
    }
    key.sign ??= this.#unsealed(key)
    return key.sign
  }

  /** The key with this `kid`, if its tokens are taken now. */
  find(kid: string): readonly VerifyingKey[] {
    const key = this.#keys.get(kid)
    return key === undefined || hasRetired(key.record, this.#clock.nowMs()) ? [] : [key.verify]
  }

  /** All keys whose tokens are taken now, and those that will sign later. */
  live(): readonly VerifyingKey[] {
    const nowMs = this.#clock.nowMs()
    return [...this.#keys.values()]
      .filter(({ record }) => !hasRetired(record, nowMs))
      .map(({ verify }) => verify)
  }

  /** True once after a key in memory has come to its end. One comparison. */
  hasNewEnd(nowMs: number): boolean {
    if (nowMs < this.#nextEndMs) return false
    this.#nextEndMs = nextEndMs(this.#keys, nowMs)
    return true
  }

  #load(): Promise<void> {
    // Set again by a change that comes while this reads.
    this.#isStale = false
    this.#readAtMs = this.#clock.nowMs()
    this.#loading = this.#read().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #read(): Promise<void> {
    try {
      this.#take(await this.#store.keys.list())
    } catch (error) {
      this.#isStale = true
      throw error
    }
  }

  #take(records: readonly SigningKeyRecord[]): void {
    const keys = new Map<string, LoadedKey>()
    const nowMs = this.#clock.nowMs()
    for (const record of records) {
      if (hasRetired(record, nowMs)) continue
      const present = this.#keys.get(record.kid)
      const isSame = present?.record.publicJwk === record.publicJwk
      keys.set(
        record.kid,
        isSame ? { ...present, record } : { record, verify: importedKey(record), sign: undefined },
      )
    }
    this.#keys = keys
    this.#nextEndMs = nextEndMs(keys, nowMs)
  }

  #unsealed({ record, verify: { algorithm, verifyWith } }: LoadedKey): SigningKey {
    const { kid, sealed } = record
    if (sealed === null) throw damaged(kid)
    const key = this.#sealer.open(sealed, sealedKey(record))
    return signingKey({ algorithm, key, verifyingKey: verifyWith, kid })
  }
}

/** The last active key that has no end; where all have one, the last active one. */
export function signingAt(records: readonly SigningKeyRecord[], nowMs: number): SigningKeyRecord | undefined {
  const active = records.filter((key) => key.activeFrom.getTime() <= nowMs && !hasRetired(key, nowMs))
  return active.findLast(({ retiresAt }) => retiresAt === null) ?? active.at(-1)
}

/** One without its private half was retired by hand: it is refused at once, also where this node's clock is behind. */
export function hasRetired({ retiresAt, sealed }: SigningKeyRecord, nowMs: number): boolean {
  return retiresAt !== null && (sealed === null || retiresAt.getTime() <= nowMs)
}

/** Which record the private half of a key is sealed for. */
export function sealedKey({ kid, algorithm }: Pick<SigningKeyRecord, 'kid' | 'algorithm'>): SealedSigningKey {
  return { kind: 'signing key', kid, algorithm }
}

function nextEndMs(keys: ReadonlyMap<string, LoadedKey>, nowMs: number): number {
  const ends = [...keys.values()].map(({ record }) => record.retiresAt?.getTime() ?? Number.POSITIVE_INFINITY)
  return Math.min(Number.POSITIVE_INFINITY, ...ends.filter((endMs) => endMs > nowMs))
}

function importedKey({ kid, algorithm, publicJwk }: SigningKeyRecord): VerifyingKey {
  const key = verifyingKeyOf(parsed(publicJwk))
  if (key?.kid !== kid || key.algorithm !== algorithm) throw damaged(kid)
  return key
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function damaged(kid: string): LatchkeyError {
  return new LatchkeyError('store_unavailable', { detail: `signing key ${kid} is damaged: retire it` })
}

/**
 * The keys of the store that sign JWTs: make, rotate, list and retire them. Commands call it; the JWT service signs and
 * verifies with what `loaded-keys.ts` holds of them in memory.
 */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '../clock.js'
import type { Keyring } from '../crypto/keyring.js'
import { type Resealable, type Resealed, Sealer } from '../sealing/sealer.js'
import type { KeyRetirement, SigningKeyRecord, Store } from '../stores/store.js'
import { isJwsAlgorithm, JWS_ALGORITHMS, type JwsAlgorithm } from './algorithms.js'
import { publicJwk } from './jwks.js'
import { completeJwtOptions, type JwtOptions } from './jwt-options.js'
import { hasRetired, LoadedKeys, sealedKey, signingAt } from './loaded-keys.js'
import { type SigningKey, signingKey } from './signing-key.js'

export interface SigningKeysOptions {
  readonly store: Store
  readonly keyring: Keyring
  readonly clock: Clock
  /** How long tokens live and keys are published. */
  readonly jwt?: JwtOptions
}

/** `next`: published, and does not sign yet. `verifying`: signs no more, and its tokens are taken until `retiresAt`. */
export type SigningKeyState = 'next' | 'signing' | 'verifying' | 'retired'

/** A signing key as people see it. */
export interface SigningKeyInfo {
  readonly kid: string
  readonly algorithm: string
  readonly state: SigningKeyState
  readonly createdAt: Date
  readonly activeFrom: Date
  readonly retiresAt: Date | null
}

export interface NewSigningKeyOptions {
  /** Default is that of the key that signs now, else ES256. HS* is none: it has nothing to publish. */
  readonly algorithm?: JwsAlgorithm
}

export interface RotateOptions extends NewSigningKeyOptions {
  /** How long the new key is published before it signs. Default is `jwt.publishSeconds`. */
  readonly publishSeconds?: number
}

/** Clocks differ by a minute at most: as much as `jwt.leewaySeconds` may be. */
const CLOCK_SECONDS = 60

export class SigningKeys {
  /** What the JWT service takes its keys from. */
  readonly loaded: LoadedKeys
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #clock: Clock
  readonly #publishSeconds: number
  /** No token that a key signs is valid for longer. */
  readonly #longestSeconds: number

  /** @throws TypeError `jwt.<option>: …` */
  constructor({ store, keyring, clock, jwt = { keys: 'store' } }: SigningKeysOptions) {
    const { publishSeconds, accessTtlSeconds, refreshTtlSeconds, slidingTtlSeconds } = completeJwtOptions(jwt)
    this.#sealer = new Sealer(keyring, store)
    this.loaded = new LoadedKeys(store, this.#sealer, clock)
    this.#store = store
    this.#clock = clock
    this.#publishSeconds = publishSeconds
    this.#longestSeconds = Math.max(accessTtlSeconds, refreshTtlSeconds, slidingTtlSeconds)
  }

  /**
   * The first key, which signs at once. Where one signs already nothing is made, so that a deployment may call this
   * every time.
   * @throws TypeError `algorithm: …`
   */
  async generate(
    options: NewSigningKeyOptions = {},
  ): Promise<{ readonly key: SigningKeyInfo; readonly created: boolean }> {
    const present = await this.#signing()
    if (present !== undefined) return { key: present, created: false }
    return { key: await this.#insert(options.algorithm ?? 'ES256', 0), created: true }
  }

  /**
   * A new key. It is published at once and signs after `publishSeconds`, when whoever caches our keys has it; where no
   * key signs yet, at once. Those before it end when the last token that they can have signed has expired; those whose
   * end has come are removed.
   * @throws TypeError `algorithm: …`, `publishSeconds: …`
   */
  async rotate(options: RotateOptions = {}): Promise<SigningKeyInfo> {
    const present = await this.#signing()
    const { algorithm = present?.algorithm ?? 'ES256', publishSeconds = this.#publishSeconds } = options
    if (!Number.isFinite(publishSeconds) || publishSeconds < 0) {
      throw new TypeError('publishSeconds: must be 0 or more')
    }
    const key = await this.#insert(algorithm, present === undefined ? 0 : publishSeconds)
    await this.#store.keys.deleteRetired(new Date(this.#clock.nowMs()))
    return key
  }

  /** All keys, in the order in which they become active. */
  async list(): Promise<readonly SigningKeyInfo[]> {
    const records = await this.#store.keys.list()
    const nowMs = this.#clock.nowMs()
    const signing = signingAt(records, nowMs)
    return records.map((record) => infoOf(record, stateOf(record, signing, nowMs)))
  }

  /**
   * Ends a key: from the moment this resolves its tokens are refused. `needed`: nothing else would sign, so it stays;
   * rotate with `publishSeconds: 0` first.
   */
  retire(kid: string): Promise<KeyRetirement> {
    return this.#store.keys.retire(kid, new Date(this.#clock.nowMs()))
  }

  /** As `TokenService.reseal`, for private keys. */
  reseal(): Promise<Resealed> {
    return this.#sealer.resealEach(this.#sealed())
  }

  async *#sealed(): AsyncGenerator<Resealable> {
    for (const key of await this.#store.keys.list()) {
      const { kid, sealed } = key
      if (sealed === null) continue
      const replace = (fresh: Uint8Array) => this.#store.keys.reseal(kid, sealed, fresh)
      yield { record: sealedKey(key), sealed, replace }
    }
  }

  async #signing(): Promise<SigningKeyInfo | undefined> {
    return (await this.list()).find(({ state }) => state === 'signing')
  }

  async #insert(algorithm: string, publishSeconds: number): Promise<SigningKeyInfo> {
    const key = await newKey(algorithm)
    const nowMs = this.#clock.nowMs()
    const activeMs = nowMs + publishSeconds * 1000
    const kid = key.kid ?? ''
    const pem = key.signWith.export({ type: 'pkcs8', format: 'pem' }).toString()
    const record: SigningKeyRecord = {
      kid,
      algorithm,
      publicJwk: JSON.stringify(publicJwk(key)),
      sealed: await this.#sealer.seal(pem, sealedKey({ kid, algorithm })),
      createdAt: new Date(nowMs),
      activeFrom: new Date(activeMs),
      retiresAt: null,
    }
    await this.#store.keys.insert(record, new Date(activeMs + (this.#longestSeconds + CLOCK_SECONDS) * 1000))
    return infoOf(record, publishSeconds > 0 ? 'next' : 'signing')
  }
}

function stateOf(
  record: SigningKeyRecord,
  signing: SigningKeyRecord | undefined,
  nowMs: number,
): SigningKeyState {
  if (record === signing) return 'signing'
  if (hasRetired(record, nowMs)) return 'retired'
  return record.activeFrom.getTime() > nowMs ? 'next' : 'verifying'
}

function infoOf(record: SigningKeyRecord, state: SigningKeyState): SigningKeyInfo {
  const { kid, algorithm, createdAt, activeFrom, retiresAt } = record
  return Object.freeze({ kid, algorithm, state, createdAt, activeFrom, retiresAt })
}

const makePair = promisify(generateKeyPair)

/** By key type. A new RSA key has the 3072 bits that are worth 128; an EC key its algorithm's curve. */
const MAKERS = {
  rsa: () => makePair('rsa', { modulusLength: 3072 }),
  ec: (namedCurve: string) => makePair('ec', { namedCurve }),
  ed25519: () => makePair('ed25519'),
} as const

/** @throws TypeError `algorithm: …` */
async function newKey(algorithm: string): Promise<SigningKey> {
  const row = isJwsAlgorithm(algorithm) ? JWS_ALGORITHMS[algorithm] : undefined
  if (!isJwsAlgorithm(algorithm) || row === undefined || row.keyType === 'secret') {
    const names = Object.entries(JWS_ALGORITHMS).filter(([, { keyType }]) => keyType !== 'secret')
    throw new TypeError(`algorithm: must be one of ${names.map(([name]) => name).join(', ')}`)
  }
  for (;;) {
    const { privateKey } = await MAKERS[row.keyType](row.curve ?? '')
    const key = signingKey({ algorithm, key: privateKey })
    // A command line would take it for an option.
    if (!key.kid?.startsWith('-')) return key
  }
}

/** Sample records and comparisons for the store contract. */
import assert from 'node:assert/strict'
import { types } from 'node:util'
import { isLatchkeyError, type LatchkeyError } from '../../errors.js'
import type { UserId } from '../../identity.js'
import type {
  FoundToken,
  NewTokenRecord,
  NewUserRecord,
  SessionRecord,
  SigningKeyRecord,
  Store,
  TokenRecord,
  UserRecord,
} from '../../stores/store.js'

/** Declares one promise of the contract, kept by a store that is new and empty. */
export type Promised = (promise: string, body: (store: Store) => Promise<void>) => void

/** 2030-01-01T12:00:00.123Z: milliseconds that a store with a second's precision would lose. */
export const NOW_MS = Date.UTC(2030, 0, 1, 12, 0, 0, 123)

export const at = (offsetMs: number): Date => new Date(NOW_MS + offsetMs)

/** A 32-byte digest, different for every number. */
export function digestOf(number: number): Uint8Array {
  const digest = new Uint8Array(32).fill(0xff)
  new DataView(digest.buffer).setUint32(0, number)
  return digest
}

export function newUser(username: string, fields: Partial<NewUserRecord> = {}): NewUserRecord {
  return {
    username,
    email: `${username}@example.com`,
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: at(0),
    lastLogin: null,
    passwordHash: '!',
    ...fields,
  }
}

export function newToken(
  userId: UserId,
  number: number,
  fields: Partial<NewTokenRecord> = {},
): NewTokenRecord {
  return {
    policy: 'knox',
    userId,
    digest: digestOf(number),
    hint: 'lk_…wxyz',
    sealed: null,
    name: '',
    scopes: null,
    allowedAddresses: null,
    createdAt: at(0),
    expiresAt: null,
    onePerUser: false,
    limitPerUser: null,
    ...fields,
  }
}

export function newSession(
  userId: UserId,
  number: number,
  fields: Partial<SessionRecord> = {},
): SessionRecord {
  return {
    digest: digestOf(number),
    userId,
    passwordVersion: 0,
    createdAt: at(0),
    expiresAt: at(1000),
    ...fields,
  }
}

export function newKey(kid: string, fields: Partial<SigningKeyRecord> = {}): SigningKeyRecord {
  return {
    kid,
    algorithm: 'ES256',
    publicJwk: `{"kid":"${kid}"}`,
    sealed: digestOf(7),
    createdAt: at(0),
    activeFrom: at(0),
    retiresAt: null,
    ...fields,
  }
}

export async function insertUser(store: Store, username = 'vitor'): Promise<UserRecord> {
  const user = await store.users.insert(newUser(username))
  assert.ok(user, `the user ${username} was not inserted`)
  return user
}

export async function insertToken(store: Store, token: NewTokenRecord) {
  const outcome = await store.tokens.insertOrGet(token)
  assert.ok(outcome.kind === 'created', 'the token was not inserted')
  return outcome.token
}

/** A token as `findByDigest` gives it. */
export function foundToken({ sealed, ...token }: TokenRecord): FoundToken {
  return token
}

/** Compares records whatever class their bytes have: a Buffer is as good as a Uint8Array. */
export function same(actual: unknown, expected: unknown): void {
  assert.deepEqual(plain(actual), plain(expected))
}

function plain(value: unknown): unknown {
  if (types.isUint8Array(value)) return `bytes ${Array.from(value).join(' ')}`
  if (types.isDate(value)) return `date ${value.getTime()}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}

export const unavailable = (error: unknown): error is LatchkeyError =>
  isLatchkeyError(error, 'store_unavailable')

/** Reproducible "random" numbers in [0, 1): mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * What a sealed text belongs to, and the bytes that bind the seal to it. `keyring.ts` gives these bytes to AES-GCM as
 * additional data, so a seal opens only in the record that it was made for.
 */
import { hash } from 'node:crypto'
import type { UserId } from '../identity.js'

/** The secret of a token. Its id is not known before it is stored; its digest is, and is unique. */
export interface SealedToken {
  readonly kind: 'token'
  /** Name of the token policy. */
  readonly policy: string
  /** The owner. */
  readonly userId: UserId
  /** SHA-256 of the secret, 32 bytes. */
  readonly digest: Uint8Array
}

/** The private half of a key that signs JWTs. */
export interface SealedSigningKey {
  readonly kind: 'signing key'
  readonly kid: string
  readonly algorithm: string
}

/**
 * Everything that is sealed, one kind for each use. A further use needs a kind of its own: the type makes every caller
 * say what it seals.
 */
export type SealedRecord = SealedToken | SealedSigningKey

/** The name of a kind in error messages. */
export const KIND_NAMES: { readonly [Kind in SealedRecord['kind']]: string } = Object.freeze({
  token: 'a token',
  'signing key': 'a signing key',
})

type Field = string | number | Uint8Array

const DOMAIN = 'latchkey sealed record'
const TYPE_BYTES = { string: 1, number: 2, object: 3 } as const

/**
 * The additional data of a seal: each field with its type (1 byte) and its length (4 bytes, big endian) in front, so
 * that two different records never have the same bytes. The id 7 and the id `'7'` are different owners.
 */
export function additionalData(record: SealedRecord): Uint8Array {
  return Buffer.concat([DOMAIN, record.kind, ...fieldsOf(record)].flatMap(encoded))
}

function fieldsOf(record: SealedRecord): readonly Field[] {
  switch (record.kind) {
    case 'token':
      return [record.policy, record.userId, record.digest]
    case 'signing key':
      return [record.kid, record.algorithm]
  }
}

function encoded(field: Field): readonly Uint8Array[] {
  const bytes = typeof field === 'object' ? field : Buffer.from(String(field), 'utf8')
  const head = Buffer.alloc(5)
  head[0] = TYPE_BYTES[typeof field as keyof typeof TYPE_BYTES]
  head.writeUInt32BE(bytes.length, 1)
  return [head, bytes]
}

const OLD_SIGNING_KEY = Buffer.from('latchkey signing key ', 'utf8')
const DIGEST_BYTES = 32

/**
 * The additional data of format 1, which named neither kind, policy nor owner; null where format 1 had no seal of such
 * a record. The digest of a token is a column that a database writer chooses: one that could be the text of a signing
 * key is refused.
 */
export function oldAdditionalData(record: SealedRecord): Uint8Array | null {
  if (record.kind === 'signing key') return Buffer.concat([OLD_SIGNING_KEY, Buffer.from(record.kid, 'utf8')])
  const { digest } = record
  const isSigningKeyText = OLD_SIGNING_KEY.equals(digest.subarray(0, OLD_SIGNING_KEY.length))
  return digest.length === DIGEST_BYTES && !isSigningKeyText ? digest : null
}

/** Whether an opened text can be what the record says: a token's secret has the digest by which the token is found. */
export function fitsRecord(text: string, record: SealedRecord): boolean {
  if (record.kind === 'signing key') return text.startsWith('-----BEGIN PRIVATE KEY-----')
  return Buffer.compare(hash('sha256', text, 'buffer'), record.digest) === 0
}

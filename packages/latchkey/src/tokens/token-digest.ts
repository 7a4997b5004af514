/** How a secret becomes what is stored: one SHA-256 over the whole secret. Shared by the token and session services. */
import { hash } from 'node:crypto'

/**
 * Longer secrets are refused before they are hashed. No policy makes one of a tenth of this; DRF itself takes any
 * length, and answers the same "Invalid token.".
 */
export const MAX_SECRET_LENGTH = 4096

/**
 * The digest as text, a character for each byte: the key of the verified cache. One shot `crypto.hash`, a third of the
 * cost of `createHash`.
 */
export function digestKey(secret: string): string {
  return hash('sha256', secret, 'binary')
}

/** The digest as the 32 bytes that stores keep. */
export function digestBytes(key: string): Uint8Array {
  return Buffer.from(key, 'latin1')
}

/** The cache key of stored bytes. */
export function digestKeyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

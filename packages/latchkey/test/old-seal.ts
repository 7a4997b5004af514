/** Seals as versions before format 2 wrote them, for tests: nothing of the product makes these any more. */
import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Format 1: `01 | key id | nonce | ciphertext | tag`, with whatever additional data. */
export function oldSeal(secret: string, text: string, additionalData: Uint8Array): Uint8Array {
  const derive = (purpose: string, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, '', purpose, bytes))
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derive('latchkey seal', 32), nonce).setAAD(additionalData)
  const header = Buffer.concat([Buffer.of(1), derive('latchkey key id', 4), nonce])
  return Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** The additional data with which format 1 sealed a signing key. */
export const oldSigningKeyData = (kid: string): Uint8Array => Buffer.from(`latchkey signing key ${kid}`)

/** Where randomness enters: bytes and text from the operating system's generator. A leaf. */
import { randomBytes } from 'node:crypto'

/** `length` lower-case hex digits (4 bits each). `length` must be even. */
export function randomHex(length: number): string {
  return randomBytes(length / 2).toString('hex')
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** `length` characters of `A-Za-z0-9`, each equally likely (bytes past the last full round are drawn again). */
export function randomAlphanumeric(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHANUMERIC[byte % 62]
    }
  }
  return text
}

/** A file of a multipart form, and the base64 in which its bytes may have come. Made by `multipart.ts`, read by handlers. */

/** A file that came with a form. Serialises without its bytes, so that an echo or a log never contains them. */
export class UploadedFile {
  /** The caller's name for it, without directories. Not to be trusted as a path. */
  readonly name: string
  /** The media type the caller claims, lower case, without parameters; '' if none. */
  readonly contentType: string
  readonly bytes: Uint8Array

  constructor(name: string, contentType: string, bytes: Uint8Array) {
    this.name = name
    this.contentType = contentType
    this.bytes = bytes
  }

  toJSON(): { readonly name: string; readonly contentType: string; readonly sizeBytes: number } {
    return { name: this.name, contentType: this.contentType, sizeBytes: this.bytes.length }
  }
}

const BASE64_DIGITS: ReadonlySet<number> = new Set(
  new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'),
)

/**
 * Base64 as Python's `b64decode` reads it: characters outside the alphabet are skipped, a complete padding ends the
 * text. Null for wrong padding.
 */
export function base64Bytes(encoded: Uint8Array): Uint8Array | null {
  const digits = new Uint8Array(encoded.length)
  let [count, pads] = [0, 0]
  for (const byte of encoded) {
    if (byte === 0x3d) {
      if (count % 4 >= 2 && (count % 4) + ++pads >= 4) return decoded(digits, count)
    } else if (BASE64_DIGITS.has(byte)) {
      pads = 0
      digits[count++] = byte
    }
  }
  return count % 4 === 0 ? decoded(digits, count) : null
}

/** Of a file Django wants whole groups of four, white space not counted. Null for what is not base64. */
export function base64FileBytes(encoded: Uint8Array): Uint8Array | null {
  const count = encoded.reduce(
    (sum, byte) => sum + (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) ? 0 : 1),
    0,
  )
  return count % 4 === 0 ? base64Bytes(encoded) : null
}

function decoded(digits: Uint8Array, count: number): Uint8Array {
  const binary = atob(new TextDecoder().decode(digits.subarray(0, count)))
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}

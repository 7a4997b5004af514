/**
 * Seals what must be shown again: AES-256-GCM under the newest of several secrets, each with a key id, so that secrets
 * rotate. The token service seals and reveals; nothing else holds a key.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { LatchkeyError } from '../errors.js'

/** The server's secret, newest first; a function is asked again when a record names a key that is not known yet. */
export type SecretSource = string | readonly string[] | (() => readonly string[])

/** Below this many characters a secret is refused: 32 hex digits are 128 bits. */
export const MIN_SECRET_LENGTH = 32

const VERSION = 1
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES

interface SealingKey {
  readonly id: string
  readonly key: Uint8Array
  readonly macKey: Uint8Array
}

export class Keyring {
  readonly #source: () => readonly string[]
  /** Whether the source can change while the server runs. */
  readonly #isLive: boolean
  #keys: readonly SealingKey[]

  /**
   * @param source one secret, several (newest first), or a function that reads them
   * @throws TypeError when there is none, or one is shorter than 32 characters
   */
  constructor(source: SecretSource) {
    this.#source =
      typeof source === 'function' ? source : () => (typeof source === 'string' ? [source] : source)
    this.#isLive = typeof source === 'function'
    this.#keys = this.#read()
  }

  /** Key ids, newest first: safe to print. */
  get keyIds(): readonly string[] {
    return this.#keys.map(({ id }) => id)
  }

  /**
   * `version | key id | nonce | ciphertext | tag` under the newest key. `context` must be given again to unseal: it
   * binds the sealed bytes to their row, so that bytes moved to another row do not open. A live source is asked first:
   * after a rotation nothing more is sealed under a secret that is about to go.
   */
  seal(text: string, context: Uint8Array): Uint8Array {
    if (this.#isLive) this.#refresh()
    const { id, key } = this.#newest()
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context)
    const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(id, 'hex'), nonce])
    return Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  }

  /**
   * The text that was sealed. Throws `sealing_key_missing`, which names `what`, when no secret at hand opens it.
   */
  unseal(sealed: Uint8Array, context: Uint8Array, what = 'a token'): string {
    const bytes = Buffer.from(sealed)
    const id = keyIdOf(bytes)
    const key = this.#find(id) ?? this.#reread(id)
    if (bytes[0] !== VERSION || key === undefined) {
      throw new LatchkeyError('sealing_key_missing', {
        detail: `${what} is sealed under key ${id || '?'}, and the server's secrets are those of ${this.keyIds.join(', ')}`,
      })
    }
    try {
      const decipher = createDecipheriv(
        'aes-256-gcm',
        key.key,
        bytes.subarray(1 + KEY_ID_BYTES, HEADER_BYTES),
      )
      decipher.setAAD(context).setAuthTag(bytes.subarray(-TAG_BYTES))
      return (
        decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      )
    } catch (cause) {
      throw new LatchkeyError('sealing_key_missing', {
        detail: `${what} that is sealed does not open under key ${id}`,
        cause,
      })
    }
  }

  /** Whether these bytes are sealed under the newest key. */
  isNewest(sealed: Uint8Array): boolean {
    return keyIdOf(Buffer.from(sealed)) === this.#newest().id
  }

  /**
   * HMAC-SHA-256 of a text under a key for this purpose, one of each secret, newest first. What is stored is the first;
   * what is looked up may be any. A live source is asked first, as in `seal`.
   */
  macs(purpose: string, text: string): readonly Uint8Array[] {
    if (this.#isLive) this.#refresh()
    const input = JSON.stringify([purpose, text])
    return this.#keys.map(({ macKey }) => new Uint8Array(createHmac('sha256', macKey).update(input).digest()))
  }

  #newest(): SealingKey {
    const [newest] = this.#keys
    if (newest === undefined) throw new TypeError('secret: there is none')
    return newest
  }

  #find(id: string): SealingKey | undefined {
    return this.#keys.find((key) => key.id === id)
  }

  /** Another process may have rotated since: ask the source once more before giving up. */
  #reread(id: string): SealingKey | undefined {
    this.#refresh()
    return this.#find(id)
  }

  /** A source that cannot be read just now changes nothing: what is known still seals and opens. */
  #refresh(): void {
    try {
      this.#keys = this.#read()
    } catch {
      return
    }
  }

  #read(): readonly SealingKey[] {
    const secrets = this.#source()
    if (secrets.length === 0) throw new TypeError('secret: there is none')
    return secrets.map((secret) => {
      if (typeof secret !== 'string' || secret.length < MIN_SECRET_LENGTH) {
        throw new TypeError(`secret: must have at least ${MIN_SECRET_LENGTH} characters`)
      }
      return {
        id: derive(secret, 'latchkey key id', KEY_ID_BYTES).toString('hex'),
        key: derive(secret, 'latchkey seal', 32),
        macKey: derive(secret, 'latchkey mac', 32),
      }
    })
  }
}

/** RFC 5869: independent keys for each purpose out of one secret. */
function derive(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, bytes))
}

function keyIdOf(sealed: Buffer): string {
  return sealed.length >= HEADER_BYTES + TAG_BYTES ? sealed.toString('hex', 1, 1 + KEY_ID_BYTES) : ''
}

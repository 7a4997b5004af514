/**
 * Seals what must be shown again: AES-256-GCM under the newest of several secrets, each with a key id, so that secrets
 * rotate. `sealing/sealer.ts` seals and opens for the services; nothing else holds a key.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { LatchkeyError } from '../errors.js'
import { handleRejection } from '../thenable.js'
import {
  additionalData,
  fitsRecord,
  KIND_NAMES,
  oldAdditionalData,
  type SealedRecord,
} from './sealed-record.js'

/** The server's secret, newest first; a function is asked again when a record names a key that is not known yet. */
export type SecretSource = string | readonly string[] | (() => readonly string[])

/** Below this many characters a secret is refused: 32 hex digits are 128 bits. */
export const MIN_SECRET_LENGTH = 32

/**
 * What a secret begins with that was made after format 1: format 1 never opens under it. This is known from the secret
 * alone, so that no change of the database can bring the old format back.
 */
export const SECRET_PREFIX = 'lks2_'

/** The format that is written. It binds the record (`sealed-record.ts`) and has a key of its own. */
const FORMAT = 2
/** The format of earlier versions: same layout, other key, other additional data. Read, never written. */
const OLD_FORMAT = 1
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES

interface SealingKey {
  readonly id: string
  readonly key: Uint8Array
  /** Null: this secret is newer than format 1. */
  readonly oldKey: Uint8Array | null
  readonly macKey: Uint8Array
}

export class Keyring {
  readonly #source: () => readonly string[]
  /** Whether the source can change while the server runs. */
  readonly #isLive: boolean
  #keys: readonly SealingKey[] = []
  /** The secrets that `#keys` were derived from. */
  #secrets: readonly string[] = []

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

  /** Reads a live source again: after a rotation nothing more is sealed under a secret that is about to go. */
  refresh(): void {
    if (this.#isLive) this.#reread()
  }

  /**
   * `format | key id | nonce | ciphertext | tag` under the newest key, for this record and no other. A live source is
   * asked first.
   */
  seal(text: string, record: SealedRecord): Uint8Array {
    this.refresh()
    const { id, key } = this.#newest()
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additionalData(record))
    const header = Buffer.concat([Buffer.of(FORMAT), Buffer.from(id, 'hex'), nonce])
    return Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  }

  /**
   * The text that was sealed for this record. Throws `sealing_key_missing` when no secret at hand opens it, and when it
   * was sealed as something else: of another kind, policy or owner, or for another row.
   */
  open(sealed: Uint8Array, record: SealedRecord): string {
    const bytes = Buffer.from(sealed)
    const what = KIND_NAMES[record.kind]
    const id = keyIdOf(bytes)
    const found = this.#find(id) ?? this.#findAnew(id)
    if (found === undefined) {
      throw missing(
        `${what} is sealed under key ${id || '?'}, and the server's secrets are those of ${this.keyIds.join(', ')}`,
      )
    }
    const [key, context] = unlocking(bytes[0], found, record)
    if (key === null) {
      throw missing(`${what} is sealed in format ${bytes[0]}, which is not taken under key ${id}`)
    }
    const text = context === null ? null : decrypted(bytes, key, context)
    if (text === null || !fitsRecord(text, record)) {
      throw missing(
        `${what} that is sealed under key ${id} is not what its record says: it was changed or moved`,
      )
    }
    return text
  }

  /**
   * The same text sealed anew, in the newest format under the newest key.
   *
   * @param from the record that it was sealed for
   * @param to the record that it will stand in; one that changes its owner or its policy is another record. Default is
   *   the same
   */
  reseal(sealed: Uint8Array, from: SealedRecord, to: SealedRecord = from): Uint8Array {
    return this.seal(this.open(sealed, from), to)
  }

  /** Whether these bytes are of the newest format and under the newest key. */
  isCurrent(sealed: Uint8Array): boolean {
    return sealed[0] === FORMAT && this.isUnderNewest(sealed)
  }

  /** Whether these bytes are under the newest key, whatever their format. */
  isUnderNewest(sealed: Uint8Array): boolean {
    return keyIdOf(Buffer.from(sealed)) === this.#newest().id
  }

  /**
   * HMAC-SHA-256 of a text under a key for this purpose, one of each secret, newest first. What is stored is the first;
   * what is looked up may be any. A live source is asked first, as in `seal`.
   */
  macs(purpose: string, text: string): readonly Uint8Array[] {
    this.refresh()
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
  #findAnew(id: string): SealingKey | undefined {
    this.#reread()
    return this.#find(id)
  }

  /** A source that cannot be read just now changes nothing: what is known still seals and opens. */
  #reread(): void {
    try {
      this.#keys = this.#read()
    } catch {
      return
    }
  }

  #read(): readonly SealingKey[] {
    const secrets = this.#source()
    if (!Array.isArray(secrets)) {
      handleRejection(secrets)
      throw new TypeError(
        'secret: must be a text, a list of texts, or a function that returns a list of texts',
      )
    }
    if (secrets.length === 0) throw new TypeError('secret: there is none')
    const isSame = secrets.length === this.#secrets.length
    if (isSame && secrets.every((secret, index) => secret === this.#secrets[index])) return this.#keys
    const keys = secrets.map((secret) => {
      if (typeof secret !== 'string' || secret.length < MIN_SECRET_LENGTH) {
        throw new TypeError(`secret: must have at least ${MIN_SECRET_LENGTH} characters`)
      }
      return {
        id: derive(secret, 'latchkey key id', KEY_ID_BYTES).toString('hex'),
        key: derive(secret, 'latchkey sealed record', 32),
        oldKey: secret.startsWith(SECRET_PREFIX) ? null : derive(secret, 'latchkey seal', 32),
        macKey: derive(secret, 'latchkey mac', 32),
      }
    })
    this.#secrets = [...secrets]
    return keys
  }
}

/** The key id of sealed bytes, as 8 hex digits; `''` when they are too short to be sealed bytes. */
export function keyIdOf(sealed: Uint8Array): string {
  if (sealed.length < HEADER_BYTES + TAG_BYTES) return ''
  return Buffer.from(sealed.subarray(1, 1 + KEY_ID_BYTES)).toString('hex')
}

/** Key and additional data by format; no key: this format is not taken. */
function unlocking(
  format: number | undefined,
  { key, oldKey }: SealingKey,
  record: SealedRecord,
): readonly [key: Uint8Array | null, context: Uint8Array | null] {
  if (format === FORMAT) return [key, additionalData(record)]
  return format === OLD_FORMAT ? [oldKey, oldAdditionalData(record)] : [null, null]
}

/** Null when the tag is wrong: other bytes, another key or other additional data. */
function decrypted(bytes: Buffer, key: Uint8Array, context: Uint8Array): string | null {
  const nonce = bytes.subarray(1 + KEY_ID_BYTES, HEADER_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(context).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES), undefined, 'utf8')
    return text + decipher.final('utf8')
  } catch {
    return null
  }
}

function missing(detail: string): LatchkeyError {
  return new LatchkeyError('sealing_key_missing', { detail })
}

/** RFC 5869: independent keys for each purpose out of one secret. */
function derive(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, bytes))
}

/** What a password hasher is, and the one way in which all of ours hash and verify; `passwords.ts` chooses among them. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { BOOLEAN, checkAnswer, type Rule, TEXT } from '../options.js'
import { type HashTurns, inTurn } from './hash-turns.js'

/** One algorithm: writes and checks stored strings of its format, `algorithm$…` as Django lays them out. */
export interface PasswordHasher {
  /** Django's name of the algorithm, e.g. `pbkdf2_sha256`; unique among the hashers in use. */
  readonly algorithm: string
  /**
   * True for a well-formed string of this format whose cost lies below the caps written at the format. Decided by
   * text alone, in microseconds, and never throws: a corrupt or hostile row costs nothing.
   */
  recognises(encoded: string): boolean
  /** A new stored string with a fresh salt. */
  hash(password: string): Promise<string>
  /**
   * Whether the password fits. False, without work, for what this hasher does not recognise; rejects only when the
   * machine or a missing package keeps it from computing.
   */
  verify(password: string, encoded: string): Promise<boolean>
  /**
   * True when `encoded` is of this format and cheaper to guess than what `hash` writes. Never true when it is equal
   * or dearer in any respect, so that an upgrade never takes strength away.
   */
  isWeaker(encoded: string): boolean
  /** A string at the cost of `hash` that no password fits: verifying it takes the time of a wrong password. */
  decoy(): string
  /**
   * The work of checking this stored string, whatever the password; null for what is not recognised. Absent: each check
   * takes as long as that of `decoy()`.
   */
  workOf?(encoded: string): HashWork | null
  /** Whether this machine can compute it. Absent: always. */
  isAvailable?(): Promise<boolean>
}

/** How long a check takes, as a number of equal steps: works of one kind can be compared and added. */
export interface HashWork {
  /** The algorithm and those parameters that do not only multiply its time. */
  readonly kind: string
  /** 0: no time that could be measured. */
  readonly amount: number
  /** Stored strings that no password fits and whose checks take this amount of work together. */
  decoys(amount: number): readonly string[]
}

/** The facts that distinguish one format from another. `Settings` is salt and cost: all that `derive` depends on. */
export interface HashFormat<Settings> {
  readonly algorithm: string
  /** Length of the digest that `hash` writes. */
  readonly digestBytes: number
  /** Settings and digest of a stored string; null when malformed or above the caps. */
  parse(encoded: string): { readonly settings: Settings; readonly digest: Uint8Array } | null
  /** The inverse of `parse`. */
  format(settings: Settings, digest: Buffer): string
  /** What a new hash uses: the configured cost and a new salt. */
  fresh(): Settings
  derive(
    password: Buffer,
    settings: Settings,
    digestBytes: number,
    turns: HashTurns | undefined,
  ): Promise<Uint8Array>
  /** `derive` computes in one of the turns that it is given. Absent: it is not called before it has one. */
  readonly takesTurns?: true
  /** What `HashWork` says of stored settings. */
  work(stored: Settings): { readonly kind: string; readonly amount: number }
  /** Settings whose works add up to an amount of this kind, where the amount can be other than that of `stored`. */
  withWork?(stored: Settings, amount: number): readonly Settings[]
  /** Whether stored settings cost less than the configured ones. */
  isWeaker(stored: Settings): boolean
  /** Throws when a new hash of this password must not be written. */
  checkNew?(password: Buffer): void
  /** A digest nobody has a password for; default: random bytes. */
  decoyDigest?(): Buffer
  isAvailable?(): Promise<boolean>
}

/** How hashers take turns themselves. By identity: a copy of one whose `verify` was replaced is somebody else's. */
const IN_TURNS = new WeakMap<PasswordHasher, (turns: HashTurns) => PasswordHasher>()

/** The hasher of a format. Digests are compared in constant time. */
export function defineHasher<Settings>(format: HashFormat<Settings>): PasswordHasher {
  const hasher = hasherOf(format, undefined)
  if (format.takesTurns) IN_TURNS.set(hasher, (turns) => hasherOf(format, turns))
  return hasher
}

/** The hasher, anybody's, with all its work done in these turns. */
export function hasherInTurns(hasher: PasswordHasher, turns: HashTurns): PasswordHasher {
  const own = IN_TURNS.get(hasher)
  if (own !== undefined) return own(turns)
  const checked = <Answer>(method: string, answer: Answer, must: Rule): Answer => {
    checkAnswer(`passwords: ${hasher.algorithm}.${method}()`, answer, must)
    return answer
  }
  return {
    algorithm: hasher.algorithm,
    recognises: (encoded) => checked('recognises', hasher.recognises(encoded), BOOLEAN),
    hash: (password) => inTurn(turns, async () => checked('hash', await hasher.hash(password), TEXT)),
    verify: (password, encoded) =>
      inTurn(turns, async () => checked('verify', await hasher.verify(password, encoded), BOOLEAN)),
    isWeaker: (encoded) => checked('isWeaker', hasher.isWeaker(encoded), BOOLEAN),
    decoy: () => checked('decoy', hasher.decoy(), TEXT),
    ...(hasher.workOf && { workOf: (encoded: string) => hasher.workOf?.(encoded) ?? null }),
  }
}

function hasherOf<Settings>(format: HashFormat<Settings>, turns: HashTurns | undefined): PasswordHasher {
  const bytes = (password: string) => Buffer.from(password, 'utf8')
  const { isAvailable } = format
  const decoyWith = (settings: Settings) =>
    format.format(settings, format.decoyDigest?.() ?? randomBytes(format.digestBytes))
  return Object.freeze({
    algorithm: format.algorithm,
    recognises: (encoded: string) => format.parse(encoded) !== null,
    async hash(password: string) {
      format.checkNew?.(bytes(password))
      const settings = format.fresh()
      const digest = await format.derive(bytes(password), settings, format.digestBytes, turns)
      return format.format(settings, Buffer.from(digest))
    },
    async verify(password: string, encoded: string) {
      const stored = format.parse(encoded)
      if (stored === null) return false
      const digest = await format.derive(bytes(password), stored.settings, stored.digest.length, turns)
      return digest.length === stored.digest.length && timingSafeEqual(digest, stored.digest)
    },
    isWeaker(encoded: string) {
      const stored = format.parse(encoded)
      return stored !== null && format.isWeaker(stored.settings)
    },
    decoy: () => decoyWith(format.fresh()),
    workOf(encoded: string) {
      const settings = format.parse(encoded)?.settings
      if (settings === undefined) return null
      const decoys = (amount: number) =>
        amount <= 0 ? [] : (format.withWork?.(settings, amount) ?? [settings]).map(decoyWith)
      return Object.freeze({ ...format.work(settings), decoys })
    },
    ...(isAvailable && { isAvailable: () => isAvailable() }),
  })
}

/** Characters of a new salt: 22 of `A-Za-z0-9` are 131 bits, as in Django. */
export const SALT_CHARACTERS = 22

/** The bytes of canonical Base64 (with or without `=`); null for any other text, so that each digest has one spelling. */
export function decodeBase64(text: string, padding: 'padded' | 'bare'): Buffer | null {
  const decoded = Buffer.from(text, 'base64')
  return encodeBase64(decoded, padding) === text ? decoded : null
}

export function encodeBase64(data: Buffer, padding: 'padded' | 'bare'): string {
  const text = data.toString('base64')
  return padding === 'padded' ? text : text.replace(/=+$/, '')
}

/** Passwords: hash, verify with upgrade, decoys and rules for new ones; what users/ and the endpoints call. All work is queued. */
import { randomAlphanumeric } from '../crypto/random.js'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import {
  ANYTHING,
  BOOLEAN,
  checkAnswer,
  checkOptions,
  FUNCTION,
  hasMethods,
  having,
  listOf,
  orNull,
  type Rules,
  rule,
  TEXT,
} from '../options.js'
import { handleRejection } from '../thenable.js'
import { argon2id } from './argon2id.js'
import { bcrypt, bcryptSha256 } from './bcrypt.js'
import { Decoys, FailedWork, MAX_WORK_KINDS, readerOf } from './failed-work.js'
import { createHashQueue, type HashQueue, type HashQueueOptions } from './hash-queue.js'
import type { HashTurns } from './hash-turns.js'
import { hasherInTurns, type PasswordHasher } from './hasher.js'
import { md5, sha1, unsaltedMd5, unsaltedSha1 } from './md5.js'
import {
  defaultPasswordValidators,
  maximumLength,
  type PasswordOwner,
  type PasswordValidator,
} from './password-validators.js'
import { pbkdf2Sha1, pbkdf2Sha256 } from './pbkdf2.js'
import { scrypt } from './scrypt.js'

export interface PasswordsOptions extends HashQueueOptions {
  /**
   * What new hashes are written with; default `argon2id()`. Where this machine lacks it, `scrypt()` takes its place
   * and `warn` is told once.
   */
  readonly preferred?: PasswordHasher
  /** What stored hashes are verified with, besides `preferred`; default: every format Django ever wrote but crypt. */
  readonly hashers?: readonly PasswordHasher[]
  /**
   * Whether a correct login rewrites a hash that is not `preferred` or weaker; default true. Set it to false, or
   * `preferred` to Django's own, beside a Django that shares the table: else each rewrites what the other wrote.
   */
  readonly upgrade?: boolean
  /** The rules for new passwords; default: Django's. */
  readonly validators?: readonly PasswordValidator[]
  /** Gets one line for the operator; default: standard error. */
  readonly warn?: (line: string) => void
}

export interface VerifyOptions {
  /**
   * Awaited in the queue slot, before the work, and at most one other job comes in between: what it counts (a login
   * throttle) is what is really tried. Its rejection is that of the call, and nothing is hashed then.
   */
  readonly beforeCheck?: () => Promise<void> | void
  /**
   * Awaited in the queue slot when the password was right: a guess that `beforeCheck` counted can be forgotten before
   * the next one is counted. Its rejection is that of the call.
   */
  readonly afterMatch?: () => Promise<void> | void
  /** True: the answer is that of a wrong password, whatever the password is. For a user who is inactive. */
  readonly refuse?: boolean
  /**
   * Stored hashes, one of each cost that users have: a wrong password does the work of each. Asked in the queue slot when
   * the password was wrong. Without it, or where it has no answer, the costs are those of the hashes that were verified here.
   */
  readonly samples?: () => Promise<readonly string[]> | undefined
}

export interface PasswordCheck {
  readonly ok: boolean
  /** To be stored in place of the hash that was verified, without counting as a password change. */
  readonly upgraded?: string
}

export interface Passwords {
  /**
   * A stored string for a new password. Rules are not applied (see `validate`), but two: at most 4096 characters, and no
   * null character. @throws LatchkeyError `invalid` (field `password`) for what breaks them, `busy` when the queue is full.
   */
  hash(password: string): Promise<string>
  /** `!` and 40 random characters: a stored string that no password fits. */
  unusable(): string
  /**
   * Whether the password fits the stored string. A string that is empty, unusable, malformed, above the caps or of an
   * unknown algorithm is never right and takes the time of a wrong password. A wrong password does the work of every cost
   * that stored hashes have (`samples`), once for each, whatever the cost of the one that was verified. Of one algorithm
   * whose work adds up (the iterations of pbkdf2, the rounds of bcrypt) it is that of the costliest. Of more than 8
   * algorithms and parameters the others are left out, and `warn` gets one line.
   * @throws LatchkeyError `busy` when the queue is full; `internal_error` when a package for the format is missing.
   */
  verify(password: string, encoded: string, options?: VerifyOptions): Promise<PasswordCheck>
  /** For an unknown user: the work of a wrong password. Never ok. @throws as `verify`. */
  verifyDecoy(password: string, options?: VerifyOptions): Promise<PasswordCheck>
  /** Whether a password can ever fit the stored string: false for a format that is not known, and for a malformed one. */
  recognises(encoded: string): Promise<boolean>
  /** What is wrong with a new password, one public message for each rule broken. */
  validate(password: string, owner: PasswordOwner): readonly string[]
  /** How busy the hashing is, for metrics. */
  readonly queue: Pick<HashQueue, 'running' | 'waiting'>
}

/**
 * One job counts its guess while another computes, and lies ready when that one is done. More would let more guesses be
 * counted at a time, and so throttle right passwords sooner.
 */
const JOBS_AHEAD = 1

const TOO_MANY_KINDS =
  `latchkey: stored passwords have more than ${MAX_WORK_KINDS} algorithms and costs; a failed login does the work of ` +
  `${MAX_WORK_KINDS}, so its time can tell that a user exists whose hash has another one`

/** In the words of the login's field. */
const NULL_CHARACTER = 'Null characters are not allowed.'

const isHasher = hasMethods('recognises', 'hash', 'verify')

const RULES: Rules<PasswordsOptions> = Object.freeze({
  preferred: rule('be a hasher, such as argon2id()', isHasher),
  hashers: listOf('hashers, such as pbkdf2Sha256()', isHasher),
  upgrade: BOOLEAN,
  validators: listOf('functions, such as minimumLength()', FUNCTION.holds),
  warn: FUNCTION,
  // The queue looks at its numbers itself.
  concurrency: ANYTHING,
  maxWaiting: ANYTHING,
  maxWaitSeconds: ANYTHING,
  clock: having('a clock: { nowMs: () => … }', 'nowMs'),
})

/** @throws TypeError naming a bad option. */
export function createPasswords(options: PasswordsOptions = {}): Passwords {
  checkOptions('createPasswords', options, RULES, 'passwords.')
  const { preferred = argon2id(), hashers = djangoHashers(), upgrade = true } = options
  // An app's function may be asynchronous; its rejection must not end the process.
  const warn = (line: string) => handleRejection((options.warn ?? printToStderr)(line))
  const validators = options.validators ?? defaultPasswordValidators()
  const tooLong = maximumLength()
  const queue = createHashQueue(options, JOBS_AHEAD)

  // Decided at first use, by known and unknown users alike: an optional package may have to be loaded.
  let kit: Promise<HasherKit> | undefined
  const resolveKit = () => {
    kit ??= assembleKit(preferred, hashers, warn, queue.turns)
    return kit
  }

  let hasWarned = false
  const onTooMany = () => {
    if (!hasWarned) warn(TOO_MANY_KINDS)
    hasWarned = true
  }
  const decoys = new Decoys()
  const newFailedWork = (readers: readonly PasswordHasher[]) => new FailedWork({ readers, decoys, onTooMany })
  /** The costs of what was verified here, and of what is written. */
  let seen: FailedWork | undefined
  const seenBy = ({ readers, decoy }: HasherKit) => {
    if (seen === undefined) {
      seen = newFailedWork(readers)
      seen.add(decoy)
    }
    return seen
  }

  /** What a wrong password has to do: the costs in the samples, or all that were seen here. */
  async function failedWork(kit: HasherKit, encoded: string | null, samples: VerifyOptions['samples']) {
    const found = await samples?.()
    const work = found === undefined ? seenBy(kit) : newFailedWork(kit.readers)
    for (const one of found ?? []) work.add(one)
    if (encoded !== null) work.add(encoded)
    if (!work.isKnown) work.add(kit.decoy)
    return work
  }

  async function check(
    kit: HasherKit,
    password: string,
    encoded: string | null,
    { samples, refuse = false }: VerifyOptions,
  ): Promise<PasswordCheck> {
    const { writer, readers } = kit
    const reader = encoded === null ? undefined : readerOf(readers, encoded)
    if (encoded === null || reader === undefined) {
      await (await failedWork(kit, null, samples)).doAll(password)
      return { ok: false }
    }
    if (!(await reader.verify(password, encoded)) || refuse) {
      await (await failedWork(kit, encoded, samples)).doRest(password, encoded)
      return { ok: false }
    }
    seenBy(kit).add(encoded)
    if (!upgrade || (reader === writer && !writer.isWeaker(encoded))) return { ok: true }
    return { ok: true, ...(await rehash(writer, password)) }
  }

  function verify(password: string, encoded: string | null, options: VerifyOptions = {}) {
    const { beforeCheck, afterMatch } = options
    return queue.run(async (): Promise<PasswordCheck> => {
      const kit = await resolveKit()
      await beforeCheck?.()
      const checked = await check(kit, password, encoded, options)
      if (checked.ok) await afterMatch?.()
      return checked
    })
  }

  return {
    hash(password) {
      // No form takes it, so nobody could log in.
      const refusal = password.includes('\0') ? NULL_CHARACTER : tooLong(password, { username: '' })
      if (refusal !== null) {
        return Promise.reject(new LatchkeyError('invalid', { fields: { password: [refusal] } }))
      }
      return queue.run(async () => (await resolveKit()).writer.hash(password))
    },
    unusable: () => `!${randomAlphanumeric(40)}`,
    verify,
    verifyDecoy: (password, verifyOptions) => verify(password, null, verifyOptions),
    recognises: async (encoded) => (await resolveKit()).readers.some((reader) => reader.recognises(encoded)),
    validate: (password, owner) =>
      validators
        .map((validator) => messageOf(validator, password, owner))
        .filter((message) => message !== null),
    queue,
  }
}

function messageOf(validator: PasswordValidator, password: string, owner: PasswordOwner): string | null {
  const message = validator(password, owner)
  checkAnswer('passwords.validators: a validator', message, MESSAGE)
  return message
}

const MESSAGE = orNull(TEXT)

/** The hashers in use: `writer` is also the first of `readers`. */
interface HasherKit {
  readonly writer: PasswordHasher
  readonly readers: readonly PasswordHasher[]
  readonly decoy: string
}

async function assembleKit(
  preferred: PasswordHasher,
  hashers: readonly PasswordHasher[],
  warn: (line: string) => void,
  turns: HashTurns,
): Promise<HasherKit> {
  const available = (await preferred.isAvailable?.()) ?? true
  const writer = hasherInTurns(available ? preferred : scrypt(), turns)
  if (!available) {
    warn(
      `latchkey: ${preferred.algorithm} is not available here, so new passwords are hashed with ${writer.algorithm}; ` +
        'install @node-rs/argon2 or use Node 24.7 or later',
    )
  }
  const others = [preferred, ...hashers]
    .filter((hasher) => hasher.algorithm !== writer.algorithm)
    .map((hasher) => hasherInTurns(hasher, turns))
  return { writer, readers: [writer, ...others], decoy: writer.decoy() }
}

/** Every format Django ever wrote, except `crypt` (gone with the C library's function). */
const djangoHashers = (): readonly PasswordHasher[] => [
  argon2id(),
  pbkdf2Sha256(),
  pbkdf2Sha1(),
  bcryptSha256(),
  bcrypt(),
  scrypt(),
  md5(),
  sha1(),
  unsaltedMd5(),
  unsaltedSha1(),
]

/** A correct login never fails because the new format refuses the password (bcrypt: over 72 bytes). */
async function rehash(writer: PasswordHasher, password: string): Promise<{ upgraded?: string }> {
  try {
    return { upgraded: await writer.hash(password) }
  } catch (error) {
    if (isLatchkeyError(error, 'invalid')) return {}
    throw error
  }
}

function printToStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}

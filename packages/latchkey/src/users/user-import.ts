/**
 * Imports users with the ids, dates, flags and password hashes that they have elsewhere, or refuses the whole run with a
 * report. `UserService.import` calls it; the store decides about ids and usernames.
 */
import { types } from 'node:util'
import type { Clock } from '../clock.js'
import {
  BOOLEAN,
  checkOptions,
  checkValue,
  orNull,
  type Rules,
  required,
  rule,
  TEXT,
  wholeNumber,
} from '../options.js'
import type { Passwords } from '../passwords/passwords.js'
import type { ImportedUserRecord, UserImportReason, UserStore } from '../stores/store.js'
import { emailErrors } from './email.js'
import { normalizeUsername } from './username.js'

/** A user as it is elsewhere. */
export interface ImportedUser {
  /** A whole number from 1. It is kept: JWTs and tokens name users by it. */
  readonly id: number
  /** Kept as it is; it must be in Unicode's NFKC form, as Django stores usernames. */
  readonly username: string
  /** As Django stores it: `algorithm$…`, or `!…` where no password can be right. */
  readonly passwordHash: string
  /** Default is empty. */
  readonly email?: string
  /** Default is true. */
  readonly isActive?: boolean
  /** Default is false. */
  readonly isStaff?: boolean
  /** Default is false. */
  readonly isSuperuser?: boolean
  /** Default is the time of the import. */
  readonly dateJoined?: Date
  /** Default is null: never. */
  readonly lastLogin?: Date | null
  /** Where it stands in the source, for the report: `line 7`. Default is its number, counted from 1: `row 7`. */
  readonly at?: string
}

/** A row of the source that could not be read as a user. It is refused. */
export interface UnreadableUser {
  readonly at: string
  readonly unreadable: string
}

export type ImportRow = ImportedUser | UnreadableUser

export interface ImportUsersOptions {
  /** True: nothing is changed, and the report says what would happen. Default is false. */
  readonly dryRun?: boolean
}

export interface RefusedUser {
  /** Where it stands in the source. */
  readonly at: string
  /** Null where it could not be read. */
  readonly id: number | null
  readonly username: string | null
  readonly reason: string
}

export interface UserImportReport {
  readonly dryRun: boolean
  /** Users who were created; in a dry run, or where any was refused, who could be. */
  readonly created: number
  /** Users who were there already with this id and username. They are left as they are. */
  readonly unchanged: number
  /** How many rows were refused. If it is not 0, nothing was changed. */
  readonly refusedCount: number
  /** The first of them in the order of the source, at most 100. */
  readonly refused: readonly RefusedUser[]
  /** How many users have a password hash of a format that is not known: they need a new password. */
  readonly unknownHashCount: number
  /** The first of them in the order of the source, at most 100. */
  readonly unknownHashes: readonly { readonly at: string; readonly id: number; readonly username: string }[]
}

const DATE = rule('be a valid Date', (value) => types.isDate(value) && Number.isFinite(value.getTime()))

const ROW_RULES: Rules<ImportedUser> = Object.freeze({
  id: required(wholeNumber(1)),
  username: required(TEXT),
  passwordHash: required(TEXT),
  email: TEXT,
  isActive: BOOLEAN,
  isStaff: BOOLEAN,
  isSuperuser: BOOLEAN,
  dateJoined: DATE,
  lastLogin: orNull(DATE),
  at: TEXT,
})

const ROWS = required(
  rule('be a list of users, or an iterable or async iterable of them', (value) => isIterable(value)),
)

const REASONS: Readonly<Record<UserImportReason, string>> = Object.freeze({
  id_taken: 'the id is that of another user here',
  username_taken: 'a user here has this username and another id',
  id_used: 'the id was given to a user here before, and ids are never used again: import into a new database',
  duplicate_id: 'an earlier row has this id',
  duplicate_username: 'an earlier row has this username',
})

const BATCH_ROWS = 1000
const MAX_REPORTED = 100
const MAX_USERNAME_LENGTH = 254

interface Context {
  readonly users: UserStore
  readonly passwords: Pick<Passwords, 'recognises'>
  readonly clock: Clock
}

/** @throws TypeError for a wrong argument; LatchkeyError `store_unavailable` */
export async function importUsers(
  rows: Iterable<ImportRow> | AsyncIterable<ImportRow>,
  options: ImportUsersOptions,
  { users, passwords, clock }: Context,
): Promise<UserImportReport> {
  checkValue('rows', rows, ROWS)
  checkOptions('users.import', options, { dryRun: BOOLEAN })
  const { dryRun = false } = options
  const refused = new FirstOf<RefusedUser & { readonly position: number }>()
  const unknownHashes = new FirstOf<{ readonly at: string; readonly id: number; readonly username: string }>()
  const now = new Date(clock.nowMs())

  async function* batches(): AsyncGenerator<readonly ImportedUserRecord[]> {
    let batch: ImportedUserRecord[] = []
    let position = 0
    for await (const row of rows) {
      const read = readRow(row, position, now)
      position += 1
      if ('reason' in read) refused.add(read)
      else {
        const { at, id, username, passwordHash } = read
        if (!isUnusable(passwordHash) && !(await passwords.recognises(passwordHash)))
          unknownHashes.add({ at, id, username })
        batch.push(read)
      }
      if (batch.length < BATCH_ROWS) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  }

  const mayInsert = () => !dryRun && refused.count === 0
  const { created, unchanged, conflicts, conflictCount } = await users.import(batches(), { mayInsert })
  const inTheWay = conflicts.map(({ reason, ...conflict }) => ({ ...conflict, reason: REASONS[reason] }))
  return {
    dryRun,
    created,
    unchanged,
    refusedCount: refused.count + conflictCount,
    refused: [...refused.first, ...inTheWay]
      .sort((one, other) => one.position - other.position)
      .slice(0, MAX_REPORTED)
      .map(({ at, id, username, reason }) => ({ at, id, username, reason })),
    unknownHashCount: unknownHashes.count,
    unknownHashes: unknownHashes.first,
  }
}

/** The first things that were added, and how many were. */
class FirstOf<Thing> {
  readonly first: Thing[] = []
  count = 0

  add(thing: Thing): void {
    this.count += 1
    if (this.first.length < MAX_REPORTED) this.first.push(thing)
  }
}

type Refusal = RefusedUser & { readonly position: number }

function readRow(row: ImportRow, position: number, now: Date): ImportedUserRecord | Refusal {
  const at = textAt(row) ?? `row ${position + 1}`
  if (isUnreadable(row)) return { at, position, id: null, username: null, reason: row.unreadable }
  const reason = rowProblem(row)
  if (reason !== null) {
    const { id, username } = Object(row) as Partial<ImportedUser>
    return {
      at,
      position,
      id: Number.isSafeInteger(id) && id !== undefined ? id : null,
      username: typeof username === 'string' ? username : null,
      reason,
    }
  }
  return {
    at,
    position,
    id: row.id,
    username: row.username,
    email: row.email ?? '',
    passwordHash: row.passwordHash,
    isActive: row.isActive ?? true,
    isStaff: row.isStaff ?? false,
    isSuperuser: row.isSuperuser ?? false,
    dateJoined: row.dateJoined ?? now,
    lastLogin: row.lastLogin ?? null,
  }
}

/** What is wrong with one row, or null. */
function rowProblem(row: ImportedUser): string | null {
  try {
    checkOptions('users.import', row, ROW_RULES)
  } catch (error) {
    return error !== null && typeof error === 'object' && 'message' in error
      ? String(error.message)
      : 'is no user'
  }
  const { username, email = '', passwordHash } = row
  if (username === '') return 'the username is empty'
  if ([...username].length > MAX_USERNAME_LENGTH) {
    return `the username has more than ${MAX_USERNAME_LENGTH} characters`
  }
  if (CONTROLS.test(username)) return 'the username has control characters'
  if (normalizeUsername(username) !== username) {
    return `the username is not in Unicode's NFKC form, in which names are looked up: rename it to '${normalizeUsername(username)}'`
  }
  if (emailErrors(email).length > 0 || CONTROLS.test(email))
    return `the email address '${email}' is not valid`
  return /^[\x20-\x7e]*$/.test(passwordHash) ? null : 'the password hash has characters that no hash has'
}

const CONTROLS = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/u

/** Django's marker of a user without a password. An empty one fits no password either. */
function isUnusable(passwordHash: string): boolean {
  return passwordHash === '' || passwordHash.startsWith('!')
}

function isUnreadable(row: ImportRow): row is UnreadableUser {
  return typeof row === 'object' && row !== null && 'unreadable' in row
}

function textAt(row: ImportRow): string | undefined {
  const at: unknown = typeof row === 'object' && row !== null ? row.at : undefined
  return typeof at === 'string' ? at.slice(0, 200).replace(new RegExp(CONTROLS, 'gu'), '?') : undefined
}

function isIterable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}

/** `mapUser`: from a row of an app's own users table, as the usual database drivers return it, to a `UserRecord`. */
import { types } from 'node:util'
import type { UserId } from '../identity.js'
import type { UserRecord } from '../stores/store.js'

/** An ObjectId of MongoDB, of any version of its driver. */
export interface ObjectIdLike {
  toHexString(): string
}

/** A flag as databases return it: a boolean, 0 or 1, `BIT(1)` as one byte, or `t`, `f`, `true`, `false`, `1`, `0` as text. */
export type FlagColumn = boolean | number | bigint | string | Uint8Array

/** The columns of a user. What is optional may be null or missing in the row. */
export interface UserColumns {
  /** A bigint becomes a number where that is exact, an ObjectId its 24 hex digits. */
  readonly id: UserId | bigint | ObjectIdLike
  readonly username: string
  /** Default is empty. */
  readonly email?: string | null
  readonly isActive: FlagColumn
  /** Default is false. */
  readonly isStaff?: FlagColumn | null
  /** Default is false. */
  readonly isSuperuser?: FlagColumn | null
  /** A Date, or ISO 8601 text with a time zone. */
  readonly dateJoined: Date | string
  readonly lastLogin?: Date | string | null
  /** `algorithm$…` as in Django. Null or missing: no password can be right. */
  readonly passwordHash?: string | null
  /** Counts password changes; default is 0. */
  readonly passwordVersion?: number | bigint | null
}

/**
 * A `UserRecord` from database columns: what a `UserSource` returns. A value that has no exact meaning is never guessed.
 *
 * @param columns the row, with the names of `UserColumns`
 * @throws TypeError that names the column, and not its value
 */
export function mapUser(columns: UserColumns): UserRecord {
  return {
    id: idOf(columns.id),
    username: textOf('username', columns.username),
    email: textOf('email', columns.email ?? ''),
    isActive: flagOf('isActive', columns.isActive),
    isStaff: flagOf('isStaff', columns.isStaff ?? false),
    isSuperuser: flagOf('isSuperuser', columns.isSuperuser ?? false),
    dateJoined: dateOf('dateJoined', columns.dateJoined),
    lastLogin: (columns.lastLogin ?? null) === null ? null : dateOf('lastLogin', columns.lastLogin),
    passwordHash: textOf('passwordHash', columns.passwordHash ?? '!'),
    passwordVersion: versionOf(columns.passwordVersion ?? 0),
  }
}

/** Text of flags: PostgreSQL's `t` and `f`, and what JSON and spreadsheets make of a boolean. */
const FLAG_TEXTS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  [false, false],
  [1, true],
  [0, false],
  [1n, true],
  [0n, false],
  ['t', true],
  ['f', false],
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
])

function flagOf(name: string, value: unknown): boolean {
  const flag = FLAG_TEXTS.get(types.isUint8Array(value) && value.length === 1 ? value[0] : value)
  if (flag === undefined) throw wrong(name, "a boolean, 0 or 1, BIT(1), 't' or 'f'")
  return flag
}

function idOf(value: unknown): UserId {
  if (typeof value === 'bigint') {
    const id = Number(value)
    if (!Number.isSafeInteger(id)) throw wrong('id', 'below 2^53; map larger numbers with String(id)')
    return id
  }
  if (typeof value === 'object' && value !== null && 'toHexString' in value) {
    const { toHexString } = value
    if (typeof toHexString === 'function') return textOf('id', toHexString.call(value))
  }
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw wrong('id', 'a safe integer, a string that is not empty, a bigint or an ObjectId')
}

function versionOf(value: unknown): number {
  const version = typeof value === 'bigint' ? Number(value) : value
  if (typeof version !== 'number' || !Number.isSafeInteger(version))
    throw wrong('passwordVersion', 'an integer')
  return version
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== 'string') throw wrong(name, 'a string')
  return value
}

/** With seconds and an offset: without one the text means another moment on every machine. */
const ISO_WITH_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)$/

function dateOf(name: string, value: unknown): Date {
  const date =
    typeof value === 'string' && ISO_WITH_ZONE.test(value)
      ? new Date(isoOf(value))
      : types.isDate(value) && value
  if (!date || Number.isNaN(date.getTime()))
    throw wrong(name, 'a valid Date, or ISO 8601 text with a time zone')
  return date
}

/** PostgreSQL writes a blank and `+00`, which ECMAScript's format does not have. */
function isoOf(text: string): string {
  return text
    .replace(' ', 'T')
    .replace(/([+-]\d\d)(\d\d)?$/, (_, hours, minutes = '00') => `${hours}:${minutes}`)
}

function wrong(name: string, what: string): TypeError {
  return new TypeError(`mapUser: ${name} must be ${what}`)
}

/**
 * Checks the records of an app's own `UserSource` where they enter: every service gets the checked source, and with it
 * frozen records that were copied field by field.
 */
import { types } from 'node:util'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import { fieldOf, type UserId } from '../identity.js'
import type { UserRecord, UserSource } from '../stores/store.js'

/** What one field of a record must be: words that follow "must", and the accepted value, or undefined. */
interface FieldRule<Value> {
  readonly must: string
  readonly read: (value: unknown) => Value | undefined
}

const FLAG: FieldRule<boolean> = {
  must: 'be true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
}
const TEXT: FieldRule<string> = {
  must: 'be a string',
  read: (value) => (typeof value === 'string' ? value : undefined),
}
const DATE: FieldRule<Date> = { must: 'be a valid Date', read: copyDate }

/** The fields of a `UserRecord`, each with its rule. */
const FIELDS: { readonly [Name in keyof UserRecord]: FieldRule<UserRecord[Name]> } = Object.freeze({
  id: { must: 'be a safe integer, or a string that is not empty', read: readId },
  username: TEXT,
  email: TEXT,
  isActive: FLAG,
  isStaff: FLAG,
  isSuperuser: FLAG,
  dateJoined: DATE,
  lastLogin: {
    must: 'be a valid Date or null',
    read: (value) => (value === null || value === undefined ? null : copyDate(value)),
  },
  passwordHash: TEXT,
  passwordVersion: {
    must: 'be an integer from 0 to 2147483647',
    read: (value) => (isPasswordVersion(value) ? value : undefined),
  },
})

/**
 * The source with every answer checked. `undefined` counts as null. Answers may come synchronously, or from a thenable
 * of any library or realm.
 *
 * Its methods reject with `internal_error`, whose detail names the method and the field and never holds a value, for a
 * record that is not complete; and for an error of the source that would be mistaken for an answer of Latchkey's own,
 * such as `not_found`. Other errors of the source are passed on.
 *
 * @param source the app's own users table
 */
export function checkedUserSource(source: UserSource): UserSource {
  const look = async (method: 'findById' | 'findByUsername', call: () => unknown) =>
    checkedUserRecord(await answered(method, call), `users.${method}`)
  return Object.freeze({
    findById: (id: UserId) => look('findById', () => source.findById(id)),
    findByUsername: (username: string) => look('findByUsername', () => source.findByUsername(username)),
    ...(typeof source.samplePasswordHashes === 'function' && {
      samplePasswordHashes: async () =>
        checkedSamples(await answered('samplePasswordHashes', () => source.samplePasswordHashes?.())),
    }),
    ...(typeof source.recordLogin === 'function' && {
      recordLogin: async (...change: Parameters<NonNullable<UserSource['recordLogin']>>) => {
        await answered('recordLogin', () => source.recordLogin?.(...change))
      },
    }),
  })
}

/**
 * A frozen copy of a record that an app's code returned, or null where it returned null or undefined.
 *
 * @param value what was returned
 * @param origin the call that returned it, for the error: `users.findById`
 * @throws LatchkeyError `internal_error` that names the field which is missing or of the wrong type
 */
export function checkedUserRecord(value: unknown, origin: string): UserRecord | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw refused(`${origin} must return a user record or null, not ${kindOf(value)}`)
  }
  const read = <Name extends keyof UserRecord>(name: Name): UserRecord[Name] => {
    const { must, read: accept } = FIELDS[name]
    const given = fieldOf(value, name)
    const accepted = accept(given)
    if (accepted === undefined) {
      throw refused(`${origin}: ${name} of the record must ${must}, not ${kindOf(given)}; see mapUser`)
    }
    return accepted
  }
  return Object.freeze({
    id: read('id'),
    username: read('username'),
    email: read('email'),
    isActive: read('isActive'),
    isStaff: read('isStaff'),
    isSuperuser: read('isSuperuser'),
    dateJoined: read('dateJoined'),
    lastLogin: read('lastLogin'),
    passwordHash: read('passwordHash'),
    passwordVersion: read('passwordVersion'),
  })
}

function checkedSamples(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return [...value]
  throw refused('users.samplePasswordHashes must return an array of strings')
}

function readId(value: unknown): UserId | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  // -0 is written like 0.
  return Number.isSafeInteger(value) ? Number(value) + 0 : undefined
}

/** Sessions keep it in an integer column of 4 bytes. */
function isPasswordVersion(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31
}

/** A Date of any realm, as one of this realm. */
function copyDate(value: unknown): Date | undefined {
  if (!types.isDate(value)) return undefined
  const ms = Date.prototype.getTime.call(value)
  return Number.isNaN(ms) ? undefined : new Date(ms)
}

/** What a value is, for a message: never the value, which may be a hash or a name. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined (missing)'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (ArrayBuffer.isView(value)) return 'bytes'
  if (types.isDate(value)) return 'an invalid Date'
  if (value === '') return 'an empty string'
  if (typeof value === 'number') return Number.isFinite(value) ? 'another number' : 'NaN or infinite'
  return typeof value === 'object' ? 'another object' : `a ${typeof value}`
}

function refused(detail: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError('internal_error', { detail, ...(cause === undefined ? {} : { cause }) })
}

/** Calls the app's code; its synchronous exceptions, rejections and thenables are all the same here. */
async function answered(method: string, call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    if (isLatchkeyError(error, 'store_unavailable', 'busy', 'internal_error')) throw error
    if (types.isNativeError(error) && !isLatchkeyError(error)) throw error
    throw refused(`users.${method} failed`, error)
  }
}

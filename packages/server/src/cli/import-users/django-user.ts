/** One user of Django, from its fields as JSON or CSV has them, as `users.import` takes it; or why it cannot be read. */
import type { ImportRow } from 'latchkey'

/** The fields of one user by Django's names. */
export type DjangoFields = Readonly<Record<string, unknown>>

/** What is read of a user. Everything else that a model has is left out. */
export const READ_FIELDS: readonly string[] = Object.freeze([
  'id',
  'pk',
  'password',
  'email',
  'is_active',
  'is_staff',
  'is_superuser',
  'date_joined',
  'last_login',
])

/** @param usernameField the model's USERNAME_FIELD */
export function userOf(at: string, pk: unknown, fields: DjangoFields, usernameField: string): ImportRow {
  try {
    const username = textOf(fields, usernameField)
    const { date_joined: joined, last_login: login } = fields
    const flag = (name: string, fallback: boolean) =>
      fields[name] === undefined ? fallback : booleanOf(name, fields[name])
    return {
      at,
      id: idOf(pk),
      username,
      passwordHash: textOf(fields, 'password'),
      email: fields.email === undefined || fields.email === null ? '' : textOf(fields, 'email'),
      isActive: flag('is_active', true),
      isStaff: flag('is_staff', false),
      isSuperuser: flag('is_superuser', false),
      ...(joined !== undefined && { dateJoined: dateOf('date_joined', joined) }),
      lastLogin: login === undefined || login === null || login === '' ? null : dateOf('last_login', login),
    }
  } catch (error) {
    if (error instanceof Unreadable) return { at, unreadable: error.message }
    throw error
  }
}

class Unreadable extends Error {}

function idOf(pk: unknown): number {
  const isText = typeof pk === 'string' && /^[1-9]\d{0,15}$/.test(pk)
  const id = isText ? Number(pk) : pk
  if (typeof id === 'number' && Number.isSafeInteger(id) && id > 0) return id
  throw new Unreadable(`the id ${shown(pk)} is not a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`)
}

function textOf(fields: DjangoFields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new Unreadable(
    value === undefined ? `the field ${name} is missing` : `the field ${name} is ${shown(value)}, not text`,
  )
}

/** JSON has true and false, MySQL and SQLite 1 and 0, PostgreSQL's CSV t and f, Python True and False. */
const BOOLEANS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 1, '1', 't', 'true', 'y', 'yes'].map((value) => [value, true] as const),
  ...[false, 0, '0', 'f', 'false', 'n', 'no'].map((value) => [value, false] as const),
])

function booleanOf(name: string, value: unknown): boolean {
  const found = BOOLEANS.get(typeof value === 'string' ? value.toLowerCase() : value)
  if (found === undefined)
    throw new Unreadable(`the field ${name} is ${shown(value)}, neither true nor false`)
  return found
}

/** ISO 8601 as Django's serializers write it, and as databases print it. Without a zone it is UTC, as Django stores it. */
const TIME =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))? ?(?:(Z|UTC)|([+-]\d\d)(?::?(\d\d))?)?$/i

function dateOf(name: string, value: unknown): Date {
  const match = typeof value === 'string' ? TIME.exec(value.trim()) : null
  const [, day = '', clock = '', fraction = '', , hours = '+00', minutes = '00'] = match ?? []
  const seconds = clock.length === 5 ? `${clock}:00` : clock
  const local = new Date(`${day}T${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  const time = new Date(`${day}T${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${hours}:${minutes}`)
  // The 30th of February would be a day in March.
  const isReal =
    Number.isFinite(time.getTime()) &&
    Number.isFinite(local.getTime()) &&
    local.toISOString().startsWith(`${day}T${seconds}`)
  if (match !== null && isReal) return time
  throw new Unreadable(`the field ${name} is ${shown(value)}, not a time such as 2026-11-22T08:46:55Z`)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

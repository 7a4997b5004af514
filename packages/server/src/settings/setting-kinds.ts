/** The kinds of values that settings have: how each is read from text and checked. `settings.ts` names one in each row. */
import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { parsePostgresAddress } from '@latchkey/sql'
import { MIN_SECRET_LENGTH, parseRate } from 'latchkey'

/** Kind -> type of the value. */
export interface Kinds {
  readonly text: string
  readonly path: string
  readonly database: string
  readonly postgres: string
  readonly redis: string
  readonly integer: number
  readonly workers: number | 'auto'
  readonly switch: boolean
  readonly rate: string | null
  readonly secrets: readonly string[]
  readonly addresses: readonly string[]
}

export type SettingKind = keyof Kinds
export type SettingValue = Kinds[SettingKind]

/** Everything there is to say about one setting. */
export interface SettingRow {
  readonly kind: SettingKind
  /** Environment variable. */
  readonly env: string
  /** Command line flag; null: not there, because every user of a machine can read command lines. */
  readonly flag: string | null
  /** undefined: not set unless somebody sets it. */
  readonly default: SettingValue | undefined
  /** For integers, both inclusive. */
  readonly min?: number
  readonly max?: number
  /** Never printed. */
  readonly secret?: true
  /** Which commands have the flag: all of them, or only those that serve. */
  readonly scope: 'all' | 'serve'
  readonly description: string
}

export interface ReadContext {
  /** True: from the environment or the command line. False: from a program, which has types. */
  readonly isText: boolean
  /** Where relative paths start. */
  readonly baseFolder: string
}

type Result = { readonly value: SettingValue } | { readonly problem: string }

/** The value of a setting, or what is wrong with it, in words that follow "name: ". */
export function readSetting(row: SettingRow, raw: unknown, context: ReadContext): Result {
  try {
    return { value: READERS[row.kind](raw, row, context) }
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message }
    throw error
  }
}

class Problem extends Error {}

type Reader = (raw: unknown, row: SettingRow, context: ReadContext) => SettingValue

const READERS: { readonly [K in SettingKind]: Reader } = {
  text: (raw) => text(raw),
  path: (raw, _row, { baseFolder }) => resolve(baseFolder, text(raw)),
  database(raw, _row, { baseFolder }) {
    const value = text(raw)
    return isPostgres(value) ? postgresAddress(value) : resolve(baseFolder, sqlitePath(value))
  },
  postgres: (raw) => postgresAddress(text(raw)),
  redis: (raw) => redisAddress(text(raw)),
  integer: (raw, row, context) => wholeNumber(raw, row, context),
  workers: (raw, row, context) => (raw === 'auto' ? raw : wholeNumber(raw, row, context, ', or auto')),
  switch(raw, _row, { isText }) {
    const value = isText && typeof raw === 'string' ? SWITCH_WORDS[raw.toLowerCase()] : raw
    if (typeof value === 'boolean') return value
    throw new Problem(`must be ${isText ? 'yes or no' : 'true or false'}${got(raw)}`)
  },
  rate(raw, _row, { isText }) {
    if (raw === null || (isText && (raw === 'off' || raw === 'none'))) return null
    try {
      parseRate(text(raw))
      return text(raw)
    } catch {
      throw new Problem(
        `must look like 10/min (s, min, hour or day), or be ${isText ? 'off' : 'null'}${got(raw)}`,
      )
    }
  },
  secrets(raw, _row, { isText }) {
    const secrets = listOf(raw, isText || typeof raw === 'string')
    if (secrets.length > 0 && secrets.every((secret) => secret.length >= MIN_SECRET_LENGTH)) return secrets
    throw new Problem(
      `must have at least ${MIN_SECRET_LENGTH} characters (several: separated by commas, newest first)`,
    )
  },
  addresses(raw, _row, { isText }) {
    const addresses = listOf(raw, isText)
    const wrong = addresses.find((address) => !isAddressOrRange(address))
    if (wrong === undefined) return addresses
    throw new Problem(`'${wrong}' is neither an address nor a range such as 10.0.0.0/8`)
  },
}

const SWITCH_WORDS: Readonly<Record<string, boolean>> = Object.freeze({
  yes: true,
  true: true,
  on: true,
  1: true,
  no: false,
  false: false,
  off: false,
  0: false,
})

function wholeNumber(raw: unknown, row: SettingRow, { isText }: ReadContext, or = ''): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = row
  const number = isText && /^-?\d{1,16}$/.test(String(raw)) ? Number(raw) : raw
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max)
    return number
  throw new Problem(`must be a whole number from ${min} to ${max}${or}${got(raw)}`)
}

function text(raw: unknown): string {
  if (typeof raw === 'string' && raw !== '') return raw
  throw new Problem(`must be text${got(raw)}`)
}

/** Shown only for short plain values, and never for a secret or an address with a password in it. */
function got(raw: unknown): string {
  const shown = typeof raw === 'string' ? `'${raw}'` : String(raw)
  return raw !== null && typeof raw === 'object' ? '' : `, not ${shown.slice(0, 60)}`
}

function listOf(raw: unknown, isText: boolean): readonly string[] {
  const items: unknown = isText && typeof raw === 'string' ? raw.split(',').map((item) => item.trim()) : raw
  if (Array.isArray(items) && items.every((item) => typeof item === 'string')) {
    return Object.freeze(items.filter((item) => item !== ''))
  }
  throw new Problem('must be a list of texts')
}

/** Whether a database is a PostgreSQL server's; else it is a file. */
export function isPostgres(database: string): boolean {
  return /^postgres(ql)?:/i.test(database)
}

/** It may hold a password: it is not repeated. */
function postgresAddress(value: string): string {
  if (parsePostgresAddress(value) !== null) return value
  throw new Problem(
    'must be an address such as postgres://user@host:5432/database; a password has %23 for #, %2F for / and %3F for ?',
  )
}

/**
 * It may hold a user and a password: it is not repeated. What the client would read out of a query is not a setting, and
 * what it would not read as TLS (`REDISS:`) is none.
 */
function redisAddress(value: string): string {
  const address = /^rediss?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : null
  const isPlain = address?.search === '' && address.hash === '' && /^\/?\d{0,5}$/.test(address.pathname)
  if (isPlain && address.hostname !== '' && isDecodable(address.username + address.password)) return value
  throw new Problem('must be an address such as redis://user:password@host:6379/0, or rediss: for TLS')
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The file that a database setting names. Anything that looks like a URL may hold a password: it is not repeated. */
function sqlitePath(value: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value)?.[1]?.toLowerCase()
  if (scheme !== undefined)
    throw new Problem(`must be the path of an SQLite file or a postgres: address, not a ${scheme}: one`)
  if (value.startsWith(':')) throw new Problem('must be the path of a file: commands and server share it')
  return value
}

function isAddressOrRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return false
  try {
    new BlockList().addSubnet(address, Number(bits ?? 0), family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}

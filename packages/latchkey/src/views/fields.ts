/** Declares the fields an endpoint reads and checks a parsed body against them: DRF's serializer with CharFields. */
import { type FieldErrors, LatchkeyError } from '../errors.js'
import { trimPython } from '../python-text.js'
import { isJsonFloat, pythonFloatText } from './json-float.js'
import { getOwn } from './own-property.js'

export interface CharFieldOptions {
  /** The field's name for people, as in OPTIONS: `Username`. */
  readonly label: string
  /** Drop white space at both ends, and so count blanks as blank. Default true; false for passwords. */
  readonly trim?: boolean
  /** Default true, except for `readOnly`. */
  readonly required?: boolean
  /** Only in answers: ignored in what a caller sends. Default false. */
  readonly readOnly?: boolean
  readonly helpText?: string
  /** In characters (code points). */
  readonly minLength?: number
  readonly maxLength?: number
}

/** A text field, made by `charField`. */
export interface CharField extends CharFieldOptions {
  readonly trim: boolean
  readonly required: boolean
  readonly readOnly: boolean
}

/** Field name -> field, in the order of messages and of OPTIONS. */
export type Fields = Readonly<Record<string, CharField>>

/** What `validateFields` returns: text for each field a caller may send, undefined only for an optional one. */
export type FieldValues<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends { readonly readOnly: true } ? never : Name]: F[Name] extends {
    readonly required: false
  }
    ? string | undefined
    : string
}

/** Declares a text field. */
export function charField<const Options extends CharFieldOptions>(options: Options): Options & CharField {
  if (typeof options.label !== 'string' || options.label === '') {
    throw new TypeError('charField: label must be a text')
  }
  const { trim = true, readOnly = false, required = !readOnly } = options
  const complete: Options & CharField = { ...options, trim, readOnly, required }
  Object.freeze(complete)
  return complete
}

/**
 * The declared fields of a parsed body; anything else in it is ignored.
 *
 * @throws LatchkeyError `invalid` with DRF's messages for every field that is wrong, or for a body that is no object.
 */
export function validateFields<const F extends Fields>(fields: F, data: unknown): FieldValues<F> {
  if (data === null || data === undefined) throw invalid({ non_field_errors: ['No data provided'] })
  const typeName = pythonTypeName(data)
  if (typeof data !== 'object' || typeName !== 'dict') {
    const message = `Invalid data. Expected a dictionary, but got ${typeName}.`
    throw invalid({ non_field_errors: [message] })
  }
  const values: Record<string, string | undefined> = {}
  const errors: Record<string, readonly string[]> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (field.readOnly) continue
    const { value, messages } = checked(field, getOwn(data, name))
    if (messages.length > 0) errors[name] = messages
    else values[name] = value
  }
  if (Object.keys(errors).length > 0) throw invalid(errors)
  return values as FieldValues<F>
}

function invalid(fields: FieldErrors): LatchkeyError {
  return new LatchkeyError('invalid', { fields })
}

interface Checked {
  readonly value?: string
  readonly messages: readonly string[]
}

/** The order is DRF's: blank, absent, null, type, then every validator. */
function checked(field: CharField, given: unknown): Checked {
  if (typeof given === 'string' && (field.trim ? trimPython(given) : given) === '') {
    return { messages: ['This field may not be blank.'] }
  }
  if (given === undefined) return { messages: field.required ? ['This field is required.'] : [] }
  if (given === null) return { messages: ['This field may not be null.'] }
  const text = textOf(given)
  if (text === undefined) return { messages: ['Not a valid string.'] }
  const value = field.trim ? trimPython(text) : text
  const messages = VALIDATORS.map((validate) => validate(value, field)).filter((message) => message !== null)
  return { value, messages }
}

/** Numbers become text as Python's `str` writes them; true, false and everything else are no text. */
function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given
  if (isJsonFloat(given) || typeof given === 'bigint') return String(given)
  if (typeof given !== 'number') return undefined
  return Number.isInteger(given) ? String(BigInt(given)) : pythonFloatText(given)
}

const VALIDATORS: ReadonlyArray<(value: string, field: CharField) => string | null> = [
  (value, { maxLength }) =>
    maxLength !== undefined && codePoints(value) > maxLength
      ? `Ensure this field has no more than ${maxLength} characters.`
      : null,
  (value, { minLength }) =>
    minLength !== undefined && codePoints(value) < minLength
      ? `Ensure this field has at least ${minLength} characters.`
      : null,
  (value) => (value.includes('\0') ? 'Null characters are not allowed.' : null),
  (value) => {
    const lone = /\p{Surrogate}/u.exec(value)?.[0].charCodeAt(0)
    return lone === undefined
      ? null
      : `Surrogate characters are not allowed: U+${lone.toString(16).toUpperCase()}.`
  },
]

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

function pythonTypeName(data: unknown): string {
  if (Array.isArray(data)) return 'list'
  if (isJsonFloat(data)) return 'float'
  if (typeof data === 'number') return Number.isInteger(data) ? 'int' : 'float'
  return { string: 'str', bigint: 'int', boolean: 'bool', object: 'dict' }[String(typeof data)] ?? 'object'
}

/** One field in the `actions` of an OPTIONS answer (DRF's SimpleMetadata). */
export interface FieldMetadata {
  readonly type: 'string'
  readonly required: boolean
  readonly read_only: boolean
  readonly label: string
  readonly help_text?: string
  readonly min_length?: number
  readonly max_length?: number
}

/** The fields as `actions.POST` of an OPTIONS answer describes them. */
export function fieldsMetadata(fields: Fields): Readonly<Record<string, FieldMetadata>> {
  const entries = Object.entries(fields).map(([name, field]): [string, FieldMetadata] => [
    name,
    {
      type: 'string',
      required: field.required,
      read_only: field.readOnly,
      label: field.label,
      ...(field.helpText !== undefined && { help_text: field.helpText }),
      ...(field.minLength !== undefined && { min_length: field.minLength }),
      ...(field.maxLength !== undefined && { max_length: field.maxLength }),
    },
  ])
  return Object.fromEntries(entries)
}

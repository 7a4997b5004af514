/** The members of a body that a view knows by name, of any type; one that it does not know is refused. */
import { type FieldErrors, LatchkeyError } from '../errors.js'
import { isJsonFloat } from './json-float.js'
import { getOwn } from './own-property.js'

export type BodyFields<Name extends string> = { readonly [N in Name]?: unknown }

/**
 * The known members that are there. Where rights are given out, an unknown member is an error and not noise: `user`
 * or `policy` must never be silently dropped, and never be taken either.
 *
 * @throws LatchkeyError `invalid` that names unknown members, or for a body that is no object.
 */
export function readBodyFields<Name extends string>(data: unknown, names: readonly Name[]): BodyFields<Name> {
  if (typeof data !== 'object' || data === null || Array.isArray(data) || isJsonFloat(data)) {
    const message = 'Invalid data. Expected a dictionary.'
    throw new LatchkeyError('invalid', { fields: { non_field_errors: [message] } })
  }
  const known = new Set<string>([...names, CSRF_FIELD])
  const unknown = Object.keys(data).filter((name) => !known.has(name))
  if (unknown.length > 0) {
    const listed = unknown
      .slice(0, MAX_LISTED)
      .map((name) => [name.slice(0, MAX_NAME_LENGTH), [UNKNOWN]] as const)
    const fields: FieldErrors = Object.fromEntries(listed)
    throw new LatchkeyError('invalid', { fields })
  }
  const present: { [N in Name]?: unknown } = {}
  for (const name of names) {
    if (Object.hasOwn(data, name)) present[name] = getOwn(data, name)
  }
  return present
}

/** What a browser's form sends along, for the session authenticator to read. */
const CSRF_FIELD = 'csrfmiddlewaretoken'

const UNKNOWN = 'This field cannot be set.'
const MAX_LISTED = 20
const MAX_NAME_LENGTH = 100

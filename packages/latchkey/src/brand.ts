/**
 * Marks on values of our own classes, so that they are recognised when another copy of the package or another realm
 * made them. A leaf.
 *
 * A brand counts only as an own property: what stands on a prototype marks every object of the process. It says what
 * kind of value this is, and never that its content may be trusted: readers check the content as they check an app's.
 */

// `Symbol.for` is one registry for all realms and all copies. JSON cannot express a symbol.
export const ERROR_BRAND: unique symbol = Symbol.for('latchkey.error')
export const RESPONSE_BRAND: unique symbol = Symbol.for('latchkey.response')
export const JSON_FLOAT_BRAND: unique symbol = Symbol.for('latchkey.json-float')
export const JSON_SYNTAX_ERROR_BRAND: unique symbol = Symbol.for('latchkey.json-syntax-error')
export const CHARSET_ERROR_BRAND: unique symbol = Symbol.for('latchkey.charset-error')
export const JWS_ERROR_BRAND: unique symbol = Symbol.for('latchkey.jws-error')

/** Marks an error. Not enumerable, so that a printed error does not show it and a copy by spreading is not marked. */
export function brandError(error: Error, brand: symbol): void {
  Object.defineProperty(error, brand, { value: true })
}

export function isBranded(value: unknown, brand: symbol): value is object {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, brand)
}

/** A JSON number with a fraction or an exponent, and its text in Python's words. Made by `json.ts`, read by `fields.ts`. */

import { isBranded, JSON_FLOAT_BRAND } from '../brand.js'

/** Below 1e-4 and from 1e16 on, Python writes an exponent: the limits of `float.__repr__`. */
const SMALLEST_PLAIN_EXPONENT = -4
const FIRST_LARGE_EXPONENT = 16

/**
 * The text of a float as Python writes it: `1.0`, `67890.0`, `1e+16`, `1e-05`, `inf`, `-0.0`, `nan`. Both languages
 * give the shortest digits that read back as the same number; only their notation differs.
 */
export function pythonFloatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  if (!Number.isFinite(value)) return `${sign}inf`
  const [mantissa = '', exponentText = ''] = Math.abs(value).toExponential().split('e')
  const exponent = Number(exponentText)
  if (exponent < SMALLEST_PLAIN_EXPONENT || exponent >= FIRST_LARGE_EXPONENT) {
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  const digits = mantissa.replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/**
 * A float that came as JSON. JavaScript cannot tell `1.0` from `1`; DRF can, and echoes and logs in by the difference.
 * Calculates like a number (`valueOf`) and serialises as one. May be infinite: Python reads `1e400` so.
 */
export class JsonFloat {
  readonly [JSON_FLOAT_BRAND] = true
  readonly value: number

  constructor(value: number) {
    this.value = value
  }

  /** Python's text of this float. */
  toString(): string {
    return pythonFloatText(this.value)
  }

  valueOf(): number {
    return this.value
  }

  toJSON(): number {
    return this.value
  }
}

export function isJsonFloat(value: unknown): value is JsonFloat {
  return isBranded(value, JSON_FLOAT_BRAND) && typeof Reflect.get(value, 'value') === 'number'
}

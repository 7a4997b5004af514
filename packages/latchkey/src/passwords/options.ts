/** How the options of this folder are checked: once, at creation, naming the option that is wrong. A leaf. */

/**
 * `value`, when it is an integer from `min` to `max`.
 * @throws TypeError that names the option otherwise.
 */
export function integerOption(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`${name} must be an integer from ${min} to ${max}, got ${String(value)}`)
  }
  return value
}

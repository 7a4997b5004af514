/** Objects made of a caller's names: every name is an ordinary own property. A leaf that parsers and fields share. */

/**
 * Sets `target[key]` as an own property, whatever the key: plain assignment of `__proto__` would change the
 * prototype of `target` instead, and with it what later look-ups find.
 */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, configurable: true, enumerable: true, writable: true })
}

/** `target[key]` if it is an own property; never something inherited, such as `constructor`. */
export function getOwn(target: object, key: string): unknown {
  return Object.hasOwn(target, key) ? Reflect.get(target, key) : undefined
}

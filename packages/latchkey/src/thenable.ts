/**
 * Whether a value has to be awaited. A leaf.
 *
 * `then` is what makes a promise, as `await` sees it. Class identity does not: a host program may replace the global
 * `Promise` (zone.js, Bluebird), and another realm has its own.
 */

export function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  return 'then' in value && typeof value.then === 'function'
}

/**
 * Handles the rejection of a promise that an app's function returned where none is awaited: an unhandled rejection would
 * end the process. Any other value is ignored.
 *
 * @param onRejection called with the reason; default: nothing is done
 */
export function handleRejection(
  value: unknown,
  onRejection: (reason: unknown) => void = () => undefined,
): void {
  if (isThenable(value)) Promise.resolve(value).then(undefined, onRejection)
}

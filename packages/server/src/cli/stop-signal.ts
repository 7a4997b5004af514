/** Waits for the operator to say that it is enough. `serve` and its workers ask. */

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process in the system's way. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      resolve()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop)
  })
}

/**
 * What was thrown, read by its members: errors of a driver may come from another realm, where no class is the same.
 * Both engines translate errors with it.
 */

export interface ErrorLike {
  readonly name: string
  readonly message: string
}

export function isErrorLike(value: unknown): value is ErrorLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'name') === 'string' &&
    typeof Reflect.get(value, 'message') === 'string'
  )
}

/** `23505`, `SQLITE_BUSY`, `ENOENT`; `''` where the error has no code. */
export function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : ''
}

/** The one place where an error becomes an answer: only `publicMessage` and `fields` get out. Views and gates use it. */
import { ERRORS, LatchkeyError } from '../errors.js'
import { type GuardPolicy, refusalStatus } from '../guard.js'
import { ApiResponse } from './response.js'

/** Told about every error that is not the caller's: programming errors and trouble below. */
export type ErrorListener = (
  error: unknown,
  request: { readonly method: string; readonly path: string },
) => void

/** A listener that can fail: what it throws, or rejects with, goes to `onTrouble`, and the answer goes out all the same. */
export function safeListener(listener: ErrorListener, onTrouble: ErrorListener): ErrorListener {
  return (error, request) => {
    try {
      // An async function is a listener too, and its rejection would end the process.
      const result: unknown = listener(error, request)
      if (result instanceof Promise) result.catch((trouble: unknown) => onTrouble(trouble, request))
    } catch (trouble) {
      onTrouble(trouble, request)
    }
  }
}

/** DRF's `exception_handler`: `{"detail": …}` or field errors, with `WWW-Authenticate` or `Retry-After`. */
export function errorAnswer(
  error: unknown,
  policy: Pick<GuardPolicy, 'authentication' | 'challenge'>,
  request: { readonly method: string; readonly path: string },
  onError: ErrorListener,
): ApiResponse {
  const refusal =
    error instanceof LatchkeyError ? error : new LatchkeyError('internal_error', { cause: error })
  if (refusal.status >= 500) onError(error, request)
  const { status, challenge } = refusalStatus(refusal, policy)
  const detail = refusal.status >= 500 ? ERRORS[refusal.code].message : refusal.publicMessage
  return new ApiResponse(refusal.fields ?? { detail, ...refusal.extra }, {
    status,
    headers: {
      ...(challenge === null ? {} : { 'WWW-Authenticate': challenge }),
      ...(refusal.retryAfterSeconds === undefined
        ? {}
        : { 'Retry-After': String(refusal.retryAfterSeconds) }),
    },
  })
}

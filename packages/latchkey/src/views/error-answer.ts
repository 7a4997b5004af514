/** The one place where an error becomes an answer: only `publicMessage` and `fields` get out. Views and gates use it. */
import { ERRORS, isLatchkeyError, LatchkeyError } from '../errors.js'
import { type GuardPolicy, refusalStatus } from '../guard.js'
import { handleRejection } from '../thenable.js'
import { ApiResponse, isResponse } from './response.js'

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
      handleRejection(result, (trouble) => onTrouble(trouble, request))
    } catch (trouble) {
      onTrouble(trouble, request)
    }
  }
}

/**
 * An app's say in how errors are answered: DRF's EXCEPTION_HANDLER. It gets what was thrown and the usual answer, and
 * returns the one to send. A guard still refuses, whatever the answer says.
 */
export type ExceptionHandler = (
  error: unknown,
  usual: ApiResponse,
  request: { readonly method: string; readonly path: string },
) => ApiResponse

/** Who has a part in answering errors. */
export interface ErrorContext {
  readonly onError: ErrorListener
  readonly exceptionHandler?: ExceptionHandler | undefined
}

/** What is sent for an error. A handler that fails, or gives no answer, changes nothing, and `onError` is told. */
export function errorAnswer(
  error: unknown,
  policy: Pick<GuardPolicy, 'authentication' | 'challenge'>,
  request: { readonly method: string; readonly path: string },
  { onError, exceptionHandler }: ErrorContext,
): ApiResponse {
  const usual = usualAnswer(error, policy, request, onError)
  if (exceptionHandler === undefined) return usual
  try {
    const own: unknown = exceptionHandler(error, usual, request)
    if (isResponse(own)) return own
    // An async function is no handler, and its rejection would end the process.
    handleRejection(own, (trouble) => onError(trouble, request))
    throw new TypeError('exceptionHandler: must return what response() does')
  } catch (trouble) {
    onError(trouble, request)
    return usual
  }
}

/** DRF's `exception_handler`: `{"detail": …}` or field errors, with `WWW-Authenticate` or `Retry-After`. */
function usualAnswer(
  error: unknown,
  policy: Pick<GuardPolicy, 'authentication' | 'challenge'>,
  request: { readonly method: string; readonly path: string },
  onError: ErrorListener,
): ApiResponse {
  const refusal = isLatchkeyError(error) ? error : new LatchkeyError('internal_error', { cause: error })
  const { status: codeStatus } = ERRORS[refusal.code]
  if (codeStatus >= 500) onError(error, request)
  const { status, challenge } = refusalStatus(refusal, policy)
  const detail = codeStatus >= 500 ? ERRORS[refusal.code].message : refusal.publicMessage
  return new ApiResponse(refusal.fields ?? { detail, ...refusal.extra }, {
    status,
    headers: {
      ...refusal.headers,
      ...(challenge === null ? {} : { 'WWW-Authenticate': challenge }),
      ...(refusal.retryAfterSeconds === undefined
        ? {}
        : { 'Retry-After': String(refusal.retryAfterSeconds) }),
    },
  })
}

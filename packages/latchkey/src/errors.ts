/** Every way in which Latchkey refuses: one table of codes, one error class. A leaf that all layers share. */
import { brandError, ERROR_BRAND, isBranded } from './brand.js'

interface ErrorRow {
  readonly status: number
  /** The public message, where the place that throws gives none. DRF's wording where DRF has the error. */
  readonly message: string
}

/** Code -> HTTP status -> public message. Codes are the API; messages may be worded better any day. */
export const ERRORS = Object.freeze({
  invalid: { status: 400, message: 'Invalid input.' },
  parse_error: { status: 400, message: 'Malformed request.' },
  authentication_failed: { status: 401, message: 'Incorrect authentication credentials.' },
  not_authenticated: { status: 401, message: 'Authentication credentials were not provided.' },
  permission_denied: { status: 403, message: 'You do not have permission to perform this action.' },
  not_found: { status: 404, message: 'Not found.' },
  method_not_allowed: { status: 405, message: 'Method not allowed.' },
  not_acceptable: { status: 406, message: 'Could not satisfy the request Accept header.' },
  conflict: { status: 409, message: 'This was changed by somebody else at the same time.' },
  token_exists: { status: 409, message: 'This user already has a token of this policy.' },
  token_limit_reached: { status: 403, message: 'Maximum amount of tokens allowed per user exceeded.' },
  payload_too_large: { status: 413, message: 'Request body is too large.' },
  uri_too_long: { status: 414, message: 'Request path or query is too long.' },
  unsupported_media_type: { status: 415, message: 'Unsupported media type in request.' },
  throttled: { status: 429, message: 'Request was throttled.' },
  internal_error: { status: 500, message: 'A server error occurred.' },
  busy: { status: 503, message: 'The server is busy. Try again later.' },
  store_unavailable: { status: 503, message: 'The service is temporarily unavailable.' },
  signing_key_missing: { status: 503, message: 'The service is temporarily unavailable.' },
  jwks_unavailable: { status: 503, message: 'The service is temporarily unavailable.' },
  sealing_key_missing: { status: 503, message: 'The service is temporarily unavailable.' },
} satisfies Record<string, ErrorRow>)

export type ErrorCode = keyof typeof ERRORS

/** Field name -> what is wrong with it; `non_field_errors` for the whole body. DRF's shape of a 400. */
export type FieldErrors = Readonly<Record<string, readonly string[]>>

/** Several values of one name are several lines: `Set-Cookie`. */
export type ErrorHeaders = Readonly<Record<string, string | readonly string[]>>

export interface LatchkeyErrorOptions {
  /** Public: goes into the body. Default: the table's message. */
  readonly message?: string
  /** For `invalid`: what is wrong, field by field. Public. */
  readonly fields?: FieldErrors
  /** Public members of the body beside `detail`: simplejwt's `code` and `messages`. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** Seconds after which a new try can succeed; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** Public: parameters that `WWW-Authenticate` has behind the scheme, such as `error="insufficient_scope"`. */
  readonly challengeParameters?: string
  /** Public: further headers of the answer. */
  readonly headers?: ErrorHeaders
  /** Internal: for logs and the CLI, never in a response. */
  readonly detail?: string
  readonly cause?: unknown
}

/**
 * A refusal with a stable `code`. `publicMessage` and `fields` may be shown to a caller; `detail` and `cause` may not.
 * A mistake of the embedding program is a `TypeError` instead.
 */
export class LatchkeyError extends Error {
  // A field, for an assignment fails where a program has frozen Error.prototype.
  override readonly name: string = 'LatchkeyError'
  readonly code: ErrorCode
  readonly status: number
  readonly publicMessage: string
  readonly fields: FieldErrors | undefined
  readonly extra: Readonly<Record<string, unknown>> | undefined
  readonly retryAfterSeconds: number | undefined
  readonly challengeParameters: string | undefined
  readonly headers: ErrorHeaders | undefined
  readonly detail: string | undefined

  constructor(code: ErrorCode, options: LatchkeyErrorOptions = {}) {
    const publicMessage =
      options.message ?? (options.fields ? fieldsText(options.fields) : ERRORS[code].message)
    super(options.detail ? `${publicMessage} (${options.detail})` : publicMessage, { cause: options.cause })
    this.code = code
    this.status = ERRORS[code].status
    this.publicMessage = publicMessage
    this.fields = options.fields
    this.extra = options.extra
    this.retryAfterSeconds = options.retryAfterSeconds
    this.challengeParameters = options.challengeParameters
    this.headers = options.headers
    this.detail = options.detail
    brandError(this, ERROR_BRAND)
  }
}

/** One sentence for logs and the CLI out of DRF's field errors. */
function fieldsText(fields: FieldErrors): string {
  return Object.entries(fields)
    .map(([field, messages]) => (field === 'non_field_errors' ? '' : `${field}: `) + messages.join(' '))
    .join(' ')
}

/**
 * Whether this is a `LatchkeyError`, with one of these codes if any are given. Recognises errors of another copy of the
 * package and of another realm, if this copy knows their code.
 */
export function isLatchkeyError(error: unknown, ...codes: readonly ErrorCode[]): error is LatchkeyError {
  if (!isBranded(error, ERROR_BRAND)) return false
  const code: unknown = Reflect.get(error, 'code')
  return isErrorCode(code) && (codes.length === 0 || codes.includes(code))
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}

/** The message of whatever was thrown, for logs and the command line. Errors of another realm have one, too. */
export function messageOf(error: unknown): string {
  const message = memberOf(error, 'message')
  return typeof message === 'string' ? message : String(error)
}

/** The stack of whatever was thrown, for logs; its message where it has none. */
export function stackOf(error: unknown): string {
  const stack = memberOf(error, 'stack')
  return typeof stack === 'string' ? stack : messageOf(error)
}

/** The `code` of an error of Node or of a library: `ENOENT`, `SQLITE_BUSY`; `''` where there is none. */
export function codeOf(error: unknown): string {
  const code = memberOf(error, 'code')
  return typeof code === 'string' ? code : ''
}

function memberOf(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
}

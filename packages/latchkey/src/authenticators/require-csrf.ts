/** Refuses a request with a cookie that logs in, unless it was meant. Authenticators and endpoints that read cookies ask. */
import { LatchkeyError } from '../errors.js'
import { csrfFailure, originFailure } from '../sessions/csrf.js'
import type { SessionService } from '../sessions/session-service.js'
import type { CredentialRequest } from './authenticator.js'

export interface CsrfContext {
  /** They name the cookie and the header of the CSRF token. */
  readonly sessions: SessionService
  /** Whether the browser speaks TLS, whatever a proxy in between speaks. */
  readonly secure: boolean
  /**
   * `first`: as in DRF any body is parsed, and the field of a form counts before the header. `last`, and always where
   * the body is left to the handler behind a guard: it is read only if it is a form and there is no header.
   */
  readonly formField: 'first' | 'last'
}

/** Throws `permission_denied` for a method that changes something, without the CSRF token or from elsewhere. */
export async function requireCsrf(
  request: CredentialRequest,
  { sessions, secure, formField }: CsrfContext,
): Promise<void> {
  const { csrfHeaderName: headerName } = sessions
  refuse(
    await csrfFailure({
      method: request.method,
      secure,
      header: (name) => request.header(name),
      cookie: request.cookie(sessions.csrfCookieName),
      headerName,
      formField: async () => {
        if (formField === 'first' && !request.leavesBody) return fieldOf(request, await request.data())
        const isWanted = request.header(headerName) === undefined && isForm(request)
        return isWanted ? fieldOf(request, await request.data()) : ''
      },
    }),
  )
}

/** The same for a login, which has no token yet: it must not come from elsewhere, or a stranger logs others in as himself. */
export function requireOwnOrigin(request: CredentialRequest, { secure }: Pick<CsrfContext, 'secure'>): void {
  refuse(originFailure({ secure, header: (name) => request.header(name) }))
}

function refuse(failure: string | null): void {
  if (failure !== null) throw new LatchkeyError('permission_denied', { message: `CSRF Failed: ${failure}` })
}

function isForm(request: CredentialRequest): boolean {
  const type = request.header('content-type') ?? ''
  return /^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(type)
}

function fieldOf(request: CredentialRequest, data: unknown): string {
  if (!isForm(request)) return ''
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, 'csrfmiddlewaretoken')) return ''
  const field: unknown = Reflect.get(data, 'csrfmiddlewaretoken')
  return typeof field === 'string' ? field : ''
}

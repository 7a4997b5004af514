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
}

/** Throws `permission_denied` for a method that changes something, without the CSRF token or from elsewhere. */
export async function requireCsrf(
  request: CredentialRequest,
  { sessions, secure }: CsrfContext,
): Promise<void> {
  refuse(
    await csrfFailure({
      method: request.method,
      secure,
      header: (name) => request.header(name),
      cookie: request.cookie(sessions.csrfCookieName),
      headerName: sessions.csrfHeaderName,
      formField: () => csrfField(request),
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

/** Only a form has fields, but as in DRF any body is parsed here: what cannot be parsed is refused as such. */
async function csrfField(request: CredentialRequest): Promise<string> {
  const data = await request.data()
  const type = request.header('content-type') ?? ''
  if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(type)) return ''
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, 'csrfmiddlewaretoken')) return ''
  const field: unknown = Reflect.get(data, 'csrfmiddlewaretoken')
  return typeof field === 'string' ? field : ''
}

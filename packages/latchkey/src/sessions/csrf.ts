/**
 * Proof that a request with a session cookie was meant: the double-submit check of Django's `CsrfViewMiddleware`.
 * Session authentication asks; nothing else needs it.
 */
import { constantTimeEqual } from '../crypto/constant-time.js'
import { randomAlphanumeric } from '../crypto/random.js'
import { SAFE_METHODS } from '../request.js'

const SECRET_LENGTH = 32
const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

export interface CsrfRequest {
  readonly method: string
  readonly secure: boolean
  header(name: string): string | undefined
  /** The value of the CSRF cookie. */
  readonly cookie: string | undefined
  /** The field `csrfmiddlewaretoken` of a form body; asked only when everything else is in order. */
  formField(): Promise<string>
  /** The header that carries the token, in lower case. */
  readonly headerName: string
}

/**
 * Why the request is refused, in Django 3.2's words; null when it is not. Methods that change nothing pass; over TLS
 * the Referer must be of the same host (a cookie can be planted by a neighbour subdomain, a Referer cannot).
 */
export async function csrfFailure(request: CsrfRequest): Promise<string | null> {
  if (SAFE_METHODS.has(request.method) || request.method === 'TRACE') return null
  const refererFailure = request.secure
    ? checkReferer(request.header('referer'), request.header('host'))
    : null
  if (refererFailure !== null) return refererFailure
  if (request.cookie === undefined) return 'CSRF cookie not set.'
  const field = request.method === 'POST' ? await request.formField() : ''
  const sent = secretOf(field === '' ? (request.header(request.headerName) ?? '') : field)
  const kept = secretOf(request.cookie)
  return sent !== null && kept !== null && constantTimeEqual(sent, kept)
    ? null
    : 'CSRF token missing or incorrect.'
}

/** A new value for the CSRF cookie. */
export function newCsrfToken(): string {
  return randomAlphanumeric(SECRET_LENGTH)
}

function checkReferer(referer: string | undefined, host: string | undefined): string | null {
  if (referer === undefined) return 'Referer checking failed - no Referer.'
  if (!URL.canParse(referer)) return 'Referer checking failed - Referer is malformed.'
  const url = new URL(referer)
  if (url.protocol !== 'https:') return 'Referer checking failed - Referer is insecure while host is secure.'
  return url.host === host
    ? null
    : `Referer checking failed - ${url.href.slice(0, 200)} does not match any trusted origins.`
}

/** The secret inside a token: 32 characters as they are, or 64 that are a mask and the secret shifted by it. */
function secretOf(token: string): string | null {
  if (!/^[a-zA-Z0-9]*$/.test(token)) return null
  if (token.length === SECRET_LENGTH) return token
  if (token.length !== 2 * SECRET_LENGTH) return null
  let secret = ''
  for (let index = 0; index < SECRET_LENGTH; index += 1) {
    const mask = ALPHABET.indexOf(token.charAt(index))
    const cipher = ALPHABET.indexOf(token.charAt(SECRET_LENGTH + index))
    secret += ALPHABET.charAt((cipher - mask + ALPHABET.length) % ALPHABET.length)
  }
  return secret
}

/**
 * Proof that a request with a cookie that logs in was meant: the checks of Django's `CsrfViewMiddleware`. Session
 * authentication and JWT cookies ask; nothing else needs it.
 */
import { constantTimeEqual } from '../crypto/constant-time.js'
import { randomAlphanumeric } from '../crypto/random.js'
import { SAFE_METHODS } from '../request.js'

const SECRET_LENGTH = 32
const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

export interface OriginRequest {
  /** Whether the browser speaks TLS. */
  readonly secure: boolean
  header(name: string): string | undefined
}

export interface CsrfRequest extends OriginRequest {
  readonly method: string
  /** The value of the CSRF cookie. */
  readonly cookie: string | undefined
  /** The field `csrfmiddlewaretoken` of a form body; asked only when everything else is in order. */
  formField(): Promise<string>
  /** The header that carries the token, in lower case. */
  readonly headerName: string
}

/**
 * Why the request is refused, in Django 3.2's words; null when it is not. Methods that change nothing pass; the others
 * must come from here and send the cookie's token a second time.
 */
export async function csrfFailure(request: CsrfRequest): Promise<string | null> {
  if (SAFE_METHODS.has(request.method) || request.method === 'TRACE') return null
  const foreign = originFailure(request)
  if (foreign !== null) return foreign
  if (request.cookie === undefined) return 'CSRF cookie not set.'
  const field = request.method === 'POST' ? await request.formField() : ''
  const sent = secretOf(field === '' ? (request.header(request.headerName) ?? '') : field)
  const kept = secretOf(request.cookie)
  return sent !== null && kept !== null && constantTimeEqual(sent, kept)
    ? null
    : 'CSRF token missing or incorrect.'
}

/**
 * Why the request does not come from a page of this host; null when it does. A neighbour subdomain can plant a cookie,
 * but neither an Origin nor a Referer. Every browser sends an Origin with what changes something; without one Django
 * looks at the Referer, over TLS only.
 */
export function originFailure({ secure, header }: OriginRequest): string | null {
  const origin = header('origin')
  if (origin === undefined) return secure ? checkReferer(header('referer'), header('host')) : null
  const url = URL.canParse(origin) ? new URL(origin) : null
  const isOurs = url !== null && isHost(url, header('host')) && (!secure || url.protocol === 'https:')
  return isOurs ? null : foreign(origin)
}

/** Django's words for what comes from elsewhere. */
export function foreign(origin: string): string {
  return `Origin checking failed - ${origin.slice(0, 200)} does not match any trusted origins.`
}

/** Whether a `Host` is that of a URL, whatever its case, with the scheme's own port or without (RFC 6454, 4). */
function isHost({ protocol, host }: URL, header: string | undefined): boolean {
  if (header === undefined || !/^[\w.:[\]-]+$/.test(header)) return false
  const url = `${protocol}//${header}`
  return URL.canParse(url) && new URL(url).host === host
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
  return isHost(url, host)
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

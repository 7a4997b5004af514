/** `Authorization: Token <secret>`: DRF's `TokenAuthentication`. Reads the header; the token service decides. */
import { LatchkeyError } from '../errors.js'
import type { Authenticator } from './authenticator.js'
import { readAuthorization } from './authorization-header.js'

export interface TokenAuthenticationOptions {
  /** What stands before the secret, compared without case, and is the challenge. Default is `Token`. */
  readonly keyword?: string
  /** Names of the token policies that are accepted. Default is `['authtoken']`. */
  readonly policies?: readonly string[]
}

/** @throws TypeError when the keyword is not one token of RFC 9110, 5.6.2 */
export function tokenAuthentication(options: TokenAuthenticationOptions = {}): Authenticator {
  const { keyword = 'Token' } = options
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(keyword)) {
    throw new TypeError(`keyword: '${keyword}' cannot stand in an Authorization header`)
  }
  const policies = new Set(options.policies ?? ['authtoken'])
  const lowerCaseKeyword = keyword.toLowerCase()

  return Object.freeze({
    name: 'TokenAuthentication',
    challenge: keyword,
    authenticate(request, services) {
      const parts = readAuthorization(request, lowerCaseKeyword)
      if (parts === null) return null
      const [secret] = parts
      if (secret === undefined) throw failed('Invalid token header. No credentials provided.')
      if (parts.length > 1) throw failed('Invalid token header. Token string should not contain spaces.')
      if (!isUtf8(secret))
        throw failed('Invalid token header. Token string should not contain invalid characters.')
      const identity = services.tokens.verify(secret)
      return identity instanceof Promise ? identity.then(requirePolicy) : requirePolicy(identity)
    },
  } satisfies Authenticator)

  function requirePolicy<I extends { readonly auth: { readonly policy: string } }>(identity: I): I {
    if (!policies.has(identity.auth.policy)) throw failed('Invalid token.')
    return identity
  }
}

function failed(message: string): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message })
}

const NOT_ASCII = /[\u0080-\u00ff]/

/** Header text is one character per byte: whether those bytes are UTF-8. */
function isUtf8(text: string): boolean {
  if (!NOT_ASCII.test(text)) return true
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
    return true
  } catch {
    return false
  }
}

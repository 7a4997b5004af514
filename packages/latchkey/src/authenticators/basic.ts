/** `Authorization: Basic …` (RFC 7617): DRF's `BasicAuthentication`. Reads the header; the login service decides. */
import { LatchkeyError } from '../errors.js'
import { BOOLEAN, checkOptions } from '../options.js'
import type { Authenticator } from './authenticator.js'
import { REALM, readAuthorization } from './authorization-header.js'
import type { KeywordClaim } from './keyword-claim.js'
import { type OwnOriginOptions, requireOwnOriginOfBrowser, TRUSTED_ORIGINS } from './own-origin.js'

export interface BasicAuthenticationOptions extends OwnOriginOptions {
  /** Shown by browsers. Default is DRF's `api`. */
  readonly realm?: string
  /** False: wrong passwords are not counted here. Default is true. */
  readonly throttle?: boolean
}

/**
 * A method that changes something is refused with 403 when a page of another origin sent it: see `trustedOrigins`.
 *
 * @throws TypeError that names the option, for every option that cannot work
 */
export function basicAuthentication(options: BasicAuthenticationOptions = {}): Authenticator {
  const own = checkOptions('basicAuthentication', options, {
    realm: REALM,
    throttle: BOOLEAN,
    trustedOrigins: TRUSTED_ORIGINS,
  })
  const { realm = 'api', throttle = true, trustedOrigins = [] } = own

  return Object.freeze({
    name: 'BasicAuthentication',
    challenge: `Basic realm="${realm}"`,
    keywordClaim: BASIC_CLAIM,
    authenticate(request, services) {
      const parts = readAuthorization(request, 'basic')
      if (parts === null) return null
      // Browsers send the password of a realm again by themselves, with forms of other sites, too.
      requireOwnOriginOfBrowser(request, { trustedOrigins })
      const [encoded] = parts
      if (encoded === undefined) throw failed('Invalid basic header. No credentials provided.')
      if (parts.length > 1)
        throw failed('Invalid basic header. Credentials string should not contain spaces.')
      const text = decodeCredentials(encoded)
      if (text === null) throw failed('Invalid basic header. Credentials not correctly base64 encoded.')
      const colon = text.indexOf(':')
      // RFC 7617, 2: no colon, no password, not even an empty one.
      if (colon < 0) throw failed('Invalid username/password.')
      const username = text.slice(0, colon)
      const password = text.slice(colon + 1)
      return services.login
        .login({ username, password, address: request.address }, { throttle })
        .then((user) => {
          if (user === null) throw failed('Invalid username/password.')
          return { user, auth: null }
        })
    },
  } satisfies Authenticator)
}

/** Whatever stands behind `Basic` is a name and a password. */
const BASIC_CLAIM: KeywordClaim = Object.freeze({
  keywords: Object.freeze(['Basic']),
  hasCase: false,
  recognises: () => true,
  sample: '',
  policies: null,
  isElsewhere: false,
  advice: 'basicAuthentication()',
})

function failed(message: string): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message })
}

/**
 * Python's `b64decode`, which the originals use: characters outside the alphabet are dropped, everything after the
 * padding is too; null for wrong padding. The bytes are UTF-8, or else Latin-1.
 */
function decodeCredentials(encoded: string): string | null {
  const kept = encoded.replace(/[^A-Za-z0-9+/=]/g, '')
  const padding = paddingEnd(kept)
  if (padding === null) return null
  const bytes = Buffer.from(kept.slice(0, padding).replaceAll('=', ''), 'base64')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

/** Where the encoded data ends; null when its last group is incomplete. Lone `=` between groups are dropped. */
function paddingEnd(text: string): number | null {
  let digits = 0
  let pads = 0
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '=') {
      pads += 1
      if (digits % 4 >= 2 && (digits % 4) + pads >= 4) return index + 1
    } else {
      digits += 1
      pads = 0
    }
  }
  return digits % 4 === 0 ? text.length : null
}

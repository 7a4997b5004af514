/**
 * The user whom the web server in front has authenticated: DRF's `RemoteUserAuthentication`. Believes a header, so it
 * must be told whose.
 */
import { trustedProxies } from '../client-address.js'
import { checkOptions, HTTP_TOKEN, required, someOf, TEXT } from '../options.js'
import { toUser } from '../users/user.js'
import type { Authenticator } from './authenticator.js'
import { type OwnOriginOptions, requireOwnOriginOfBrowser, TRUSTED_ORIGINS } from './own-origin.js'

export interface RemoteUserAuthenticationOptions extends OwnOriginOptions {
  /** The header in which the proxy sends the username. Default is `Remote-User`. */
  readonly header?: string
  /**
   * Addresses and ranges whose header is believed: `['127.0.0.1']`, and `unix` for a proxy that connects to a Unix
   * socket. Required: every other client could send any name.
   * The proxy must remove the header from what clients send.
   */
  readonly trustedProxies: readonly string[]
}

/** @throws TypeError when no proxy is trusted, or one is not an address or range */
export function remoteUserAuthentication(options: RemoteUserAuthenticationOptions): Authenticator {
  const own = checkOptions('remoteUserAuthentication', options, {
    header: HTTP_TOKEN,
    trustedProxies: required(someOf('addresses whose header is believed', TEXT.holds)),
    trustedOrigins: TRUSTED_ORIGINS,
  })
  const header = (own.header ?? 'Remote-User').toLowerCase()
  const isTrusted = trustedProxies(own.trustedProxies)
  const { trustedOrigins = [] } = own

  return Object.freeze({
    name: 'RemoteUserAuthentication',
    challenge: null,
    async authenticate(request, { userSource, proxyWarnings }) {
      const bytes = request.header(header)
      if (bytes === undefined || bytes === '') return null
      const peer = request.remoteAddress ?? ''
      if (!isTrusted(peer)) {
        proxyWarnings.ignoredRemoteUser(header, peer)
        return null
      }
      // The proxy vouches for requests that pages of other sites have sent, too.
      requireOwnOriginOfBrowser(request, { trustedOrigins })
      const username = Buffer.from(bytes, 'latin1').toString('utf8')
      const record = username.includes('\u0000') ? null : await userSource.findByUsername(username)
      return record?.isActive ? { user: toUser(record), auth: null } : null
    },
  } satisfies Authenticator)
}

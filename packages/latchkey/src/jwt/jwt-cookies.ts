/** Names and safety of the cookies that carry JWTs: `createLatchkey({ jwt: { cookies } })`, checked when it is created. */
import { BOOLEAN, checkOptions, HTTP_TOKEN, type Rules, rule } from '../options.js'

export interface JwtCookieOptions {
  /**
   * False, for development over plain HTTP: the cookies lose `Secure` and the `__Host-` before their names. Default is
   * true.
   */
  readonly secure?: boolean
  /** Name of the access token's cookie, without the prefix. Default is `jwt_access`. */
  readonly accessName?: string
  /** The same of the refresh token. Default is `jwt_refresh`. */
  readonly refreshName?: string
}

export interface JwtCookies {
  readonly secure: boolean
  /** With the prefix. */
  readonly accessName: string
  readonly refreshName: string
}

/**
 * With `__Host-` a browser takes a cookie over TLS only, for this host and no other, so that no neighbour can plant one
 * (RFC 6265bis, 4.1.3.2).
 *
 * @throws TypeError `jwt.cookies.<option>: …`
 */
export function completeJwtCookies(options: JwtCookieOptions = {}): JwtCookies {
  checkOptions('createLatchkey', options, RULES, 'jwt.cookies.')
  const { secure = true, accessName = 'jwt_access', refreshName = 'jwt_refresh' } = options
  if (accessName === refreshName) throw new TypeError('jwt.cookies.refreshName: must differ from accessName')
  const prefix = secure ? '__Host-' : ''
  return Object.freeze({ secure, accessName: prefix + accessName, refreshName: prefix + refreshName })
}

const COOKIE_NAME = rule(
  "be a cookie's name, without a prefix",
  (value) => HTTP_TOKEN.holds(value) && !String(value).startsWith('__'),
)

const RULES: Rules<JwtCookieOptions> = Object.freeze({
  secure: BOOLEAN,
  accessName: COOKIE_NAME,
  refreshName: COOKIE_NAME,
})

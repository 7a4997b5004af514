/** Names and safety of the cookies that carry JWTs: `createLatchkey({ jwt: { cookies } })`, checked when it is created. */

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
  const { secure = true, accessName = 'jwt_access', refreshName = 'jwt_refresh' } = options
  if (typeof secure !== 'boolean') throw new TypeError('jwt.cookies.secure: must be true or false')
  for (const [option, name] of Object.entries({ accessName, refreshName })) {
    if (!COOKIE_NAME.test(name) || /^__/.test(name)) {
      throw new TypeError(`jwt.cookies.${option}: must be a cookie's name, without a prefix`)
    }
  }
  if (accessName === refreshName) throw new TypeError('jwt.cookies.refreshName: must differ from accessName')
  const prefix = secure ? '__Host-' : ''
  return Object.freeze({ secure, accessName: prefix + accessName, refreshName: prefix + refreshName })
}

/** RFC 6265, 4.1.1: a token of HTTP. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

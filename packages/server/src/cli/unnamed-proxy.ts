/** A server that only this machine reaches, in production, with no proxy named: `check --deploy` and `serve` warn of it. */
import type { LoadedSettings } from './session.js'

export const UNNAMED_PROXY_HINT =
  'set LATCHKEY_TRUSTED_PROXIES to the addresses of the proxy, such as 127.0.0.1, and let it send X-Forwarded-For'

/** Callers reach such an address only through a proxy on this machine. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || /^(?:::ffff:)?127\./i.test(host)
}

/** What is wrong, or null. */
export function hidesBehindUnnamedProxy({
  values: { host, trustedProxies },
}: Pick<LoadedSettings, 'values'>): string | null {
  if (trustedProxies.length > 0 || !isLoopback(host)) return null
  return (
    `The server listens on ${host}, which callers reach through a proxy only, and no proxy is trusted: all callers ` +
    'count as one address for throttles and the login limit.'
  )
}

/**
 * Whose address a request counts for: the connection's, and `X-Forwarded-For` only as far as configured proxies wrote
 * it. Throttles, allow-lists of tokens and the remote-user authenticator ask.
 */
import { BlockList, isIP } from 'node:net'
import { checkValue, required, TEXTS } from './options.js'

/** Answers whether an address is one of the proxies that were configured. */
export type TrustedProxies = (address: string) => boolean

/** The peer of a Unix socket, which has no address: as `HttpRequest.remoteAddress`, and as an entry of `trustedProxies`. */
export const UNIX_PEER = 'unix'

/**
 * @param proxies addresses and CIDR ranges (`127.0.0.1`, `10.0.0.0/8`, `fd00::/8`), and `unix` for a proxy that connects
 *   to a Unix socket
 * @throws TypeError that names the entry that is none of them
 */
export function trustedProxies(proxies: readonly string[]): TrustedProxies {
  checkValue('trustedProxies', proxies, required(TEXTS))
  const list = new BlockList()
  const trustsUnix = proxies.includes(UNIX_PEER)
  for (const entry of proxies) {
    if (entry === UNIX_PEER) continue
    const [address = '', bits, ...rest] = entry.split('/')
    const family = isIP(address)
    const maxBits = family === 4 ? 32 : 128
    if (
      family === 0 ||
      rest.length > 0 ||
      (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits))
    ) {
      throw new TypeError(
        `trustedProxies: '${entry}' is neither an address nor a range such as 10.0.0.0/8, nor 'unix'`,
      )
    }
    list.addSubnet(address, bits === undefined ? maxBits : Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return (text) => {
    if (text === UNIX_PEER) return trustsUnix
    const address = unmapped(text)
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

export interface ClientAddress {
  /** The caller's address; `''` where it is not known, which is in no allow-list. */
  readonly caller: string
  /**
   * What throttles and the login limit count: the caller, or, where that is not known, the last proxy before it. All
   * callers whose peer is not known either are counted together, as `''`; those of a Unix socket as `unix`.
   */
  readonly counted: string
  /** True: `X-Forwarded-For` came from a peer that is not a trusted proxy, and was not read. */
  readonly ignoresForwarded: boolean
}

/**
 * The nearest address that is not a trusted proxy, reading `X-Forwarded-For` from the right: what a client writes
 * itself is never believed. Ports are left out. At any other entry that is no address (`unknown`, nothing at all) the
 * caller is unknown, and is not taken for the proxy that wrote it.
 *
 * @param remoteAddress as `HttpRequest.remoteAddress`
 */
export function clientAddress(
  remoteAddress: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: TrustedProxies,
): ClientAddress {
  let address = unmapped(remoteAddress ?? '')
  if (forwardedFor === undefined || !isTrusted(address)) {
    const caller = address === UNIX_PEER ? '' : address
    return { caller, counted: address, ignoresForwarded: forwardedFor !== undefined }
  }
  for (const entry of forwardedFor.split(',').reverse()) {
    const next = unmapped(withoutPort(entry.trim()))
    if (isIP(next) === 0) return { caller: '', counted: address, ignoresForwarded: false }
    address = next
    if (!isTrusted(address)) break
  }
  return { caller: address, counted: address, ignoresForwarded: false }
}

/** `192.0.2.1:4711`, `[2001:db8::1]:4711` and `[2001:db8::1]`, as some proxies write them. */
function withoutPort(entry: string): string {
  const match = /^(?:\[([\da-f:.%\w]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/i.exec(entry)
  return match?.[1] ?? match?.[2] ?? entry
}

/** What is counted together: an IPv4 address, or the /64 of an IPv6 one, which is what one customer gets. */
export function addressBucket(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** `::ffff:192.0.2.1`, in any spelling of it, is the IPv4 address inside it. */
function unmapped(address: string): string {
  const match = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (match?.[1] !== undefined) return match[1]
  return /:ffff:/i.test(address) && isIP(address) === 6 ? unmappedHex(address) : address
}

/** `::ffff:c000:201` and `0:0:0:0:0:ffff:192.0.2.1`: the URL standard has one spelling for them (RFC 5952). */
function unmappedHex(address: string): string {
  const [plain = ''] = address.split('%')
  const [, high, low] = /^\[::ffff:([\da-f]+):([\da-f]+)\]$/.exec(new URL(`http://[${plain}]`).hostname) ?? []
  if (high === undefined || low === undefined) return address
  return [high, low]
    .map((text) => Number.parseInt(text, 16))
    .flatMap((word) => [word >> 8, word & 0xff])
    .join('.')
}

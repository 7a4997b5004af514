/**
 * Whose address a request counts for: the connection's, and `X-Forwarded-For` only as far as configured proxies wrote
 * it. Throttles, allow-lists of tokens and the remote-user authenticator ask.
 */
import { BlockList, isIP } from 'node:net'
import { checkValue, required, TEXTS } from './options.js'

/** Answers whether an address is one of the proxies that were configured. */
export type TrustedProxies = (address: string) => boolean

/**
 * @param proxies addresses and CIDR ranges: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`
 * @throws TypeError that names the entry that is neither
 */
export function trustedProxies(proxies: readonly string[]): TrustedProxies {
  checkValue('trustedProxies', proxies, required(TEXTS))
  const list = new BlockList()
  for (const entry of proxies) {
    const [address = '', bits, ...rest] = entry.split('/')
    const family = isIP(address)
    const maxBits = family === 4 ? 32 : 128
    if (
      family === 0 ||
      rest.length > 0 ||
      (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits))
    ) {
      throw new TypeError(`trustedProxies: '${entry}' is neither an address nor a range such as 10.0.0.0/8`)
    }
    list.addSubnet(address, bits === undefined ? maxBits : Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return (text) => {
    const address = unmapped(text)
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

export interface ClientAddress {
  /** Who called; `''` where nobody said, which no allow-list lets in. */
  readonly caller: string
  /** Whom throttles count: the caller, or the last proxy that is known on the way to one that is not. */
  readonly counted: string
}

/**
 * The nearest address that is not a trusted proxy, reading `X-Forwarded-For` from the right: what a client writes
 * itself is never believed. Ports are left out. At any other entry that is no address (`unknown`, nothing at all) the
 * caller is unknown, and is not taken for the proxy that wrote it.
 */
export function clientAddress(
  remoteAddress: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: TrustedProxies,
): ClientAddress {
  let address = unmapped(remoteAddress ?? '')
  if (forwardedFor === undefined || !isTrusted(address)) return { caller: address, counted: address }
  for (const entry of forwardedFor.split(',').reverse()) {
    const next = unmapped(withoutPort(entry.trim()))
    if (isIP(next) === 0) return { caller: '', counted: address }
    address = next
    if (!isTrusted(address)) break
  }
  return { caller: address, counted: address }
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

/** `::ffff:192.0.2.1` is the IPv4 address inside it. */
function unmapped(address: string): string {
  const match = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return match?.[1] ?? address
}

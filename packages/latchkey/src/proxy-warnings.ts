/**
 * Warnings about proxies, each given once: a proxy that is not named makes all callers one address, and nothing else
 * shows it. Requests and the remote-user authenticator report; `onError` gets the warning.
 */
import { BlockList, isIP } from 'node:net'
import { UNIX_PEER } from './client-address.js'
import type { HttpRequest } from './request.js'

/** What is asked of a request. */
type Reviewed = Pick<HttpRequest, 'header' | 'remoteAddress' | 'frameworkProxies'>

const SETTING = 'trustedProxies (LATCHKEY_TRUSTED_PROXIES for the server)'
const TOGETHER =
  'throttles and the login limit count all callers together, and allow-lists of tokens do not match'
const ONCE = 'This warning is given once.'

export class ProxyWarnings {
  readonly #hasProxies: boolean
  readonly #warn: (warning: Error) => void
  readonly #given = new Set<string>()
  #hasSeenFramework = false

  /**
   * @param hasProxies whether `trustedProxies` names any
   * @param warn gets an `Error` with the name `LatchkeyWarning`
   */
  constructor(hasProxies: boolean, warn: (warning: Error) => void) {
    this.#hasProxies = hasProxies
    this.#warn = warn
  }

  /** Whether the first request was looked at, for the hot path. */
  get hasSeenFramework(): boolean {
    return this.#hasSeenFramework
  }

  /** Looks at the first request: the framework's own setting is not known earlier. */
  seeFramework({ frameworkProxies }: Pick<HttpRequest, 'frameworkProxies'>): void {
    this.#hasSeenFramework = true
    if (frameworkProxies === undefined || this.#hasProxies) return
    this.#give(
      'framework',
      `trustedProxies: ${frameworkProxies} is set and trustedProxies is not. Latchkey does not read the framework's ` +
        `setting: behind the proxy ${TOGETHER}. Name the proxies in createLatchkey({ trustedProxies }).`,
    )
  }

  /**
   * Looks at a request whose address is about to be counted.
   * @param counted the address that is counted, before IPv6 addresses are shortened
   */
  review(request: Reviewed, counted: string): void {
    this.seeFramework(request)
    const { remoteAddress } = request
    // '' is a connection that is closed, or a request with too many header lines: no mistake of the operator.
    if (counted === UNIX_PEER || remoteAddress === undefined) this.#unknownPeer(remoteAddress)
    else if (counted !== '' && isIP(counted) === 0) this.#unknownPeer(counted)
    if (request.header('x-forwarded-for') !== undefined) return
    const name = OTHER_HEADERS.find((header) => request.header(header) !== undefined)
    if (name !== undefined) this.ignoredForwarded(HEADER_NAMES[name], counted)
  }

  /**
   * A header that proxies write came, and was not read.
   * @param peer who sent it
   */
  ignoredForwarded(header: string, peer: string): void {
    if (peer === '') return
    // A client that is reached over the Internet cannot use up the warning about a proxy beside the server.
    const kind = isLocal(peer) ? 'forwarded by a local peer' : 'forwarded by a public peer'
    const reason = header === READ ? `${nameOf(peer)} is not in trustedProxies` : `only ${READ} is read`
    this.#give(
      kind,
      `trustedProxies: a request from ${nameOf(peer)} has the header ${header}, which was not read, because ${reason}. ` +
        `If this peer is your proxy, then ${TOGETHER}: let it send ${READ}, and name it in ${SETTING}. ` +
        'A client can send this header, too: if the peer is no proxy of yours, change nothing.',
    )
  }

  /** The header of `remoteUserAuthentication` came from a peer that it does not trust. */
  ignoredRemoteUser(header: string, peer: string): void {
    this.#give(
      'remote user',
      `remoteUserAuthentication: a request from ${nameOf(peer)} has the header ${header}, which was not believed, ` +
        'because this peer is not in trustedProxies of remoteUserAuthentication. If it is your proxy, name it there. ' +
        'A client can send this header, too: if the peer is no proxy of yours, change nothing.',
    )
  }

  #unknownPeer(peer: string | undefined): void {
    if (peer === UNIX_PEER) {
      this.#give(
        'unix',
        `trustedProxies: requests come over a Unix socket without an address: ${TOGETHER}. If a proxy connects to the ` +
          `socket, add 'unix' to trustedProxies, and let the proxy send ${READ}.`,
      )
    } else {
      this.#give(
        'unknown',
        `remoteAddress: the runtime does not say which address a request comes from: ${TOGETHER}. Pass it with each ` +
          "request: fetchHandler(handler)(request, { remoteAddress }), where 'unix' means a Unix socket.",
      )
    }
  }

  #give(kind: string, message: string): void {
    if (this.#given.has(kind)) return
    this.#given.add(kind)
    const warning = new Error(`${message} ${ONCE}`)
    warning.name = 'LatchkeyWarning'
    // Where it was noticed says nothing: it is about the configuration.
    warning.stack = `Warning: ${warning.message}`
    this.#warn(warning)
  }
}

const READ = 'X-Forwarded-For'

/** RFC 7239, and nginx's custom: read by nothing here. */
const HEADER_NAMES = Object.freeze({ forwarded: 'Forwarded', 'x-real-ip': 'X-Real-IP' })
const OTHER_HEADERS = Object.freeze(['forwarded', 'x-real-ip'] as const)

/** Addresses that no client on the Internet has: a header from there was most likely written by a proxy. */
const LOCAL = new BlockList()
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  LOCAL.addSubnet(network, bits, 'ipv4')
LOCAL.addAddress('::1', 'ipv6')
LOCAL.addSubnet('fc00::', 7, 'ipv6')
LOCAL.addSubnet('fe80::', 10, 'ipv6')

function isLocal(peer: string): boolean {
  const family = isIP(peer)
  return family === 0 || LOCAL.check(peer, family === 4 ? 'ipv4' : 'ipv6')
}

function nameOf(peer: string): string {
  return peer === UNIX_PEER ? 'a Unix socket' : peer === '' ? 'an unknown peer' : peer
}

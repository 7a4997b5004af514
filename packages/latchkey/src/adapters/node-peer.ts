/** The peer of a request of Node's HTTP server, as `HttpRequest.remoteAddress` promises it. The Node adapters ask. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { UNIX_PEER } from '../client-address.js'

/**
 * The peer's address; `unix` where the server listens on a Unix socket (or a named pipe); `''` where the connection is
 * closed, or where header lines may be missing: what the proxy appended may be among them, and without it the proxy
 * would be taken for the caller. Undefined where Node does not say.
 */
export function peerOf(incoming: IncomingMessage): string | undefined {
  if (mayLackLines(incoming)) return ''
  const { socket } = incoming
  return socket.remoteAddress ?? (socket.destroyed ? '' : unixPeer(socket))
}

/** Node's `maxHeadersCount` where the server does not set it. */
const DEFAULT_MAX_LINES = 1000

/**
 * Whether Node may have dropped lines: of more than `server.maxHeadersCount` it keeps the first, and says nothing. A
 * stream of HTTP/2 that has too many is reset instead.
 */
function mayLackLines({ rawHeaders, httpVersionMajor, socket }: IncomingMessage): boolean {
  if (httpVersionMajor > 1 || rawHeaders === undefined) return false
  const limit = numberOr(DEFAULT_MAX_LINES, memberOf(memberOf(socket, 'server'), 'maxHeadersCount'))
  // 0: no limit.
  return limit > 0 && rawHeaders.length >= 2 * limit
}

/**
 * Says `unix` only on evidence. A TCP connection that was reset has no peer either, and must not pass for a proxy that
 * is trusted.
 */
function unixPeer(socket: Socket): string | undefined {
  if (socket.localAddress !== undefined) return undefined
  const server = memberOf(socket, 'server')
  const isUnix = isObject(server) && (UNIX_SERVERS.has(server) || listensOnUnixSocket(server))
  if (!isUnix) return undefined
  UNIX_SERVERS.add(server)
  return UNIX_PEER
}

/** Those that were seen listening: one that has stopped still answers on its open connections. */
const UNIX_SERVERS = new WeakSet<object>()

/** Its address is a path, or none at all where the socket was inherited, as from systemd. */
function listensOnUnixSocket(server: object): boolean {
  const address = memberOf(server, 'address')
  if (memberOf(server, 'listening') !== true || typeof address !== 'function') return false
  const listensOn: unknown = Reflect.apply(address, server, [])
  return listensOn === null || typeof listensOn === 'string'
}

function numberOr(fallback: number, value: unknown): number {
  return typeof value === 'number' ? value : fallback
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? Reflect.get(value, name) : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A TCP connection that tests can cut: passes bytes on to a server until it is told otherwise. */
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  /** The given URL, through the proxy. */
  readonly url: string
  /** Resets every connection, and refuses new ones until `mend`. */
  cut(): void
  /** Takes what clients send and gives them nothing any more, until `cut`. */
  hang(): void
  mend(): void
  close(): Promise<void>
}

export async function tcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((client) => {
    const upstream = connect(Number(port || 6379), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    if (isCut) client.resetAndDestroy()
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  const through = new URL(target)
  through.hostname = '127.0.0.1'
  through.port = String(address.port)
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    url: through.href,
    cut,
    hang() {
      for (const socket of sockets) {
        socket.unpipe()
        socket.resume()
      }
    },
    mend() {
      isCut = false
    },
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

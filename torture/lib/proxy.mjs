/** A TCP proxy between a node and its database, which cuts connections or swallows what they carry. */
import { connect, createServer } from 'node:net'

/**
 * @typedef {object} Proxy
 * @property {number} port
 * @property {() => void} cut ends every connection at once, without a word
 * @property {() => void} hold forwards nothing any more, and accepts no connection's data
 * @property {() => void} release
 * @property {() => Promise<void>} close
 *
 * @param {{ host: string, port: number }} target
 * @returns {Promise<Proxy>}
 */
export async function startProxy(target) {
  const sockets = new Set()
  let held = false
  const server = createServer((client) => {
    const upstream = connect(target)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from)
      from.on('data', (chunk) => to.write(chunk))
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      if (held) from.pause()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    hold: () => {
      held = true
      for (const socket of sockets) socket.pause()
    },
    release: () => {
      held = false
      for (const socket of sockets) socket.resume()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

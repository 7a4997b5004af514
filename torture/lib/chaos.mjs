/** What happens to nodes while they work: each is done to one node, lasts a while and is undone. */

/** @typedef {{ node: import('./node-process.mjs').NodeProcess, proxies: readonly import('./proxy.mjs').Proxy[] }} Station */

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Name -> what is done; those with a proxy need something behind one. */
const EVENTS = {
  pause: async ({ node }, lastsMs) => {
    node.pause()
    await sleep(lastsMs)
    node.resume()
  },
  kill: async ({ node }) => {
    await node.kill()
    await node.start()
  },
  cut: async (_station, _lastsMs, proxy) => proxy.cut(),
  'cut for a while': async (_station, lastsMs, proxy) => {
    proxy.hold()
    await sleep(lastsMs)
    proxy.cut()
    proxy.release()
  },
  hold: async (_station, lastsMs, proxy) => {
    proxy.hold()
    await sleep(lastsMs)
    proxy.release()
  },
}
const NEEDS_PROXY = new Set(['cut', 'cut for a while', 'hold'])

/**
 * Disturbs stations one after the other until told to stop.
 * @param {{ stations: readonly Station[], random: () => number, leaseSeconds: number, isOver: () => boolean }} plan
 * @returns {Promise<Record<string, number>>} how often each thing happened
 */
export async function disturb({ stations, random, leaseSeconds, isOver }) {
  const counts = {}
  while (!isOver()) {
    const station = stations[Math.floor(random() * stations.length)]
    const proxy = station.proxies[Math.floor(random() * station.proxies.length)]
    const names = Object.keys(EVENTS).filter((name) => proxy !== undefined || !NEEDS_PROXY.has(name))
    const name = names[Math.floor(random() * names.length)]
    // Shorter than the lease and longer than it.
    await EVENTS[name](station, 100 + random() * leaseSeconds * 1700, proxy)
    counts[name] = (counts[name] ?? 0) + 1
    await sleep(200 + random() * 600)
  }
  return counts
}

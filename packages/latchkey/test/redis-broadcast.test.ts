import { redisBroadcast } from 'latchkey/redis'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ALL_CLIENTS } from './redis-clients.js'
import { findRedis, prefixesOn, withRedis } from './redis-server.js'
import { tcpProxy } from './tcp-proxy.js'

const URL_OF_REDIS = await findRedis()
const url = URL_OF_REDIS ?? ''
const newChannel = prefixesOn(URL_OF_REDIS)

/** How long tests wait for what takes milliseconds on an idle machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const listenersOf = (channel: string) =>
  withRedis(url, async (client) => (await client.pubSubNumSub([channel]))[channel] ?? 0)

/** Counts what wakes it. The first one of a broadcast is woken when it can hear messages; later ones can at once. */
async function listener(broadcast: ReturnType<typeof redisBroadcast>, isFirst = true) {
  const heard = { count: 0, stop: () => {} }
  heard.stop = broadcast.subscribe(() => {
    heard.count += 1
  })
  onTestFinished(() => heard.stop())
  if (isFirst) await vi.waitFor(() => expect(heard.count).toBeGreaterThan(0), PATIENCE)
  heard.count = 0
  return heard
}

for (const [kind, open] of Object.entries(ALL_CLIENTS)) {
  const connected = async (address = url) => {
    const opened = open(address)
    await opened.ready()
    return opened
  }

  describe.skipIf(URL_OF_REDIS === null)(`redisBroadcast() with a client of ${kind}`, () => {
    it('wakes every listener of the channel, here and elsewhere, and none of another one', async () => {
      const channel = newChannel()
      const here = redisBroadcast((await connected()).client, { channel })
      const there = redisBroadcast((await connected()).client, { channel })
      const elsewhere = await listener(redisBroadcast((await connected()).client, { channel: newChannel() }))
      const listeners = [await listener(here), await listener(there), await listener(there, false)]
      await here.publish()
      await vi.waitFor(() => expect(listeners.map(({ count }) => count)).toEqual([1, 1, 1]), PATIENCE)
      await there.publish()
      await vi.waitFor(() => expect(listeners.map(({ count }) => count)).toEqual([2, 2, 2]), PATIENCE)
      expect(elsewhere.count).toBe(0)
    })

    it('has a second connection as long as somebody listens', async () => {
      const channel = newChannel()
      const broadcast = redisBroadcast((await connected()).client, { channel })
      expect(await listenersOf(channel)).toBe(0)
      const first = await listener(broadcast)
      const second = await listener(broadcast, false)
      expect(await listenersOf(channel)).toBe(1)
      first.stop()
      first.stop()
      first.count = 0
      await broadcast.publish()
      await vi.waitFor(() => expect(second.count).toBe(1), PATIENCE)
      expect(first.count).toBe(0)
      second.stop()
      await vi.waitFor(async () => expect(await listenersOf(channel)).toBe(0), PATIENCE)
      const again = await listener(broadcast)
      await broadcast.publish()
      await vi.waitFor(() => expect(again.count).toBe(1), PATIENCE)
    })

    it('takes two connections of the caller, and leaves them open', async () => {
      const channel = newChannel()
      const [publisher, subscriber] = [await connected(), await connected()]
      const broadcast = redisBroadcast(
        { publisher: publisher.client, subscriber: subscriber.client },
        { channel },
      )
      const heard = await listener(broadcast)
      await broadcast.publish()
      await vi.waitFor(() => expect(heard.count).toBe(1), PATIENCE)
      heard.stop()
      await vi.waitFor(async () => expect(await listenersOf(channel)).toBe(0), PATIENCE)
      expect((await listener(broadcast)).count).toBe(0)
      expect(await listenersOf(channel)).toBe(1)
    })

    it('wakes listeners when a broken connection is back, and hears messages again', async () => {
      const channel = newChannel()
      const proxy = await tcpProxy(url)
      onTestFinished(() => proxy.close())
      const publisher = redisBroadcast((await connected()).client, { channel })
      const heard = await listener(redisBroadcast((await connected(proxy.url)).client, { channel }))
      for (let round = 0; round < 3; round += 1) {
        proxy.cut()
        await vi.waitFor(async () => expect(await listenersOf(channel)).toBe(0), PATIENCE)
        // Nobody hears this one.
        await publisher.publish()
        expect(heard.count).toBe(0)
        proxy.mend()
        await vi.waitFor(() => expect(heard.count).toBeGreaterThan(0), PATIENCE)
        heard.count = 0
        await publisher.publish()
        await vi.waitFor(() => expect(heard.count).toBeGreaterThan(0), PATIENCE)
        heard.count = 0
      }
    })

    it('may begin while Redis cannot be reached, and stop as well; publish says what happened', async () => {
      const channel = newChannel()
      const proxy = await tcpProxy(url)
      onTestFinished(() => proxy.close())
      proxy.cut()
      const opened = open(proxy.url)
      const broadcast = redisBroadcast(opened.client, { channel })
      let woken = 0
      const wake = () => {
        woken += 1
      }
      broadcast.subscribe(wake)()
      const stop = broadcast.subscribe(wake)
      onTestFinished(stop)
      expect(woken).toBe(0)
      proxy.mend()
      await vi.waitFor(() => expect(woken).toBeGreaterThan(0), PATIENCE)
      await opened.ready()
      opened.close()
      await expect(Promise.resolve(broadcast.publish())).rejects.toThrow()
    })
  })
}

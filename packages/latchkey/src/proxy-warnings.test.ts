import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import expressFramework from 'express'
import fastifyFramework from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { express } from './adapters/express.js'
import { fastify } from './adapters/fastify.js'
import { createLatchkey } from './latchkey.js'
import type { LatchkeyOptions } from './latchkey-options.js'
import { allowAny } from './permissions/allow-any.js'
import { memoryStore } from './stores/memory.js'
import { fakeRequest } from './testing/fake-request.js'
import { throttleByAddress } from './throttles/by-address.js'
import { apiView } from './views/api-view.js'

function latchkeyWith(options: Partial<LatchkeyOptions> = {}) {
  const warnings: string[] = []
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    onError: (error) => warnings.push(String(Reflect.get(Object(error), 'stack'))),
    throttles: [throttleByAddress('1000/min')],
    permissions: [allowAny],
    ...options,
  })
  return { latchkey, warnings }
}

describe('a header of proxies that was not read', () => {
  const ask = async (
    { latchkey }: ReturnType<typeof latchkeyWith>,
    remoteAddress: string,
    headers: Record<string, string>,
  ) => {
    const gate = latchkey.gate()
    for (let times = 0; times < 3; times += 1) await gate(fakeRequest({ remoteAddress, headers }))
  }
  const forwarded = { 'x-forwarded-for': '192.0.2.1' }

  it.each(['127.0.0.1', '::1', '::ffff:10.0.0.1', '172.20.0.3', '192.168.0.1', 'fd00::1', '203.0.113.9'])(
    'is one warning for a peer that was not named: %s',
    async (peer) => {
      const made = latchkeyWith()
      await ask(made, peer, forwarded)
      expect(made.warnings).toHaveLength(1)
      expect(made.warnings[0]).toMatch(
        /^Warning: trustedProxies: .* has the header X-Forwarded-For, which was not read/,
      )
      expect(made.warnings[0]).toContain('LATCHKEY_TRUSTED_PROXIES')
      expect(made.warnings[0]).toContain('A client can send this header, too')
      expect(made.warnings[0]).not.toContain('192.0.2.1')
    },
  )

  it('cannot be used up from outside: the warning about a local peer comes all the same, and then no other', async () => {
    const made = latchkeyWith()
    for (const peer of ['203.0.113.9', '198.51.100.1', '2001:db8::1']) await ask(made, peer, forwarded)
    expect(made.warnings).toHaveLength(1)
    for (const peer of ['127.0.0.1', '10.0.0.1']) await ask(made, peer, forwarded)
    expect(made.warnings).toHaveLength(2)
  })

  it('is none where the peer is named, and none without such a header', async () => {
    const made = latchkeyWith({ trustedProxies: ['127.0.0.1'] })
    await ask(made, '127.0.0.1', forwarded)
    await ask(made, '127.0.0.1', {})
    await ask(made, '203.0.113.9', {})
    expect(made.warnings).toEqual([])
  })

  it.each([
    ['forwarded', 'for=192.0.2.1', 'Forwarded'],
    ['x-real-ip', '192.0.2.1', 'X-Real-IP'],
  ])('may be %s, which nothing reads, even from a proxy that is named', async (name, value, shown) => {
    const made = latchkeyWith({ trustedProxies: ['127.0.0.1'] })
    await ask(made, '127.0.0.1', { [name]: value })
    expect(made.warnings).toHaveLength(1)
    expect(made.warnings[0]).toMatch(new RegExp(`the header ${shown}, .*only X-Forwarded-For is read`))
  })

  it('goes to stderr as one line where no onError is given', async () => {
    const lines: unknown[] = []
    const { error } = console
    console.error = (line) => lines.push(line)
    onTestFinished(() => {
      console.error = error
    })
    const { latchkey } = latchkeyWith(Object.freeze({ onError: Reflect.get({}, 'unset') }))
    await latchkey.gate()(fakeRequest({ headers: forwarded }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^latchkey: CHECK trustedProxies: Warning: trustedProxies: .*given once\.$/)
  })
})

describe("the framework's own setting for proxies", () => {
  const view = apiView({ permissions: [allowAny], get: () => ({}) })

  async function onExpress(
    made: ReturnType<typeof latchkeyWith>,
    use: 'guard' | 'route' | 'endpoint',
    trust: unknown,
  ) {
    const app = expressFramework()
    const { latchkey } = made
    if (use === 'guard') app.use(express.guard(latchkey, allowAny))
    if (use === 'route')
      app.use(express.route(latchkey, [allowAny], (_request, _response, _identity, next) => next()))
    if (use === 'endpoint') app.all('/', express.endpoint(latchkey.handler(view)))
    app.set('trust proxy', trust)
    const server = createServer(app as RequestListener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    for (let times = 0; times < 2; times += 1) await (await fetch(url)).arrayBuffer()
    server.close()
  }

  async function onFastify(
    made: ReturnType<typeof latchkeyWith>,
    use: 'guard' | 'route' | 'endpoints',
    trustProxy: boolean,
  ) {
    const app = fastifyFramework({ trustProxy })
    const { latchkey } = made
    if (use === 'endpoints') app.register(fastify.endpoints({ '/': latchkey.handler(view) }))
    if (use === 'guard') app.get('/', { onRequest: fastify.guard(latchkey, allowAny) }, async () => ({}))
    if (use === 'route')
      app.get(
        '/',
        fastify.route(latchkey, [allowAny], async () => ({})),
      )
    for (let times = 0; times < 2; times += 1) expect((await app.inject('/')).statusCode).toBe(200)
    await app.close()
  }

  it.each(['guard', 'route', 'endpoint'] as const)(
    'is one warning at the first request: express.%s',
    async (use) => {
      for (const trust of [true, 1, 'loopback', ['10.0.0.1'], () => true]) {
        const made = latchkeyWith({ throttles: [] })
        await onExpress(made, use, trust)
        expect(made.warnings).toHaveLength(1)
        expect(made.warnings[0]).toMatch(
          /^Warning: trustedProxies: `trust proxy` of Express is set and trustedProxies is not/,
        )
      }
    },
  )

  it.each(['guard', 'route', 'endpoints'] as const)(
    'is one warning at the first request: fastify.%s',
    async (use) => {
      const made = latchkeyWith({ throttles: [] })
      await onFastify(made, use, true)
      expect(made.warnings).toHaveLength(1)
      expect(made.warnings[0]).toMatch(
        /^Warning: trustedProxies: `trustProxy` of Fastify is set and trustedProxies is not/,
      )
    },
  )

  it('is none where trustedProxies is set, too, or the setting trusts nothing', async () => {
    const named = latchkeyWith({ trustedProxies: ['127.0.0.1'] })
    await onExpress(named, 'guard', true)
    await onFastify(named, 'guard', true)
    expect(named.warnings).toEqual([])
    const unset = latchkeyWith()
    for (const trust of [false, 0, [], undefined]) await onExpress(unset, 'guard', trust)
    await onFastify(unset, 'guard', false)
    expect(unset.warnings).toEqual([])
  })
})

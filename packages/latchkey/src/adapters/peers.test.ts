/** Whose address the Node adapters say a request has: over Unix sockets, with too many header lines, after a close. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import expressFramework from 'express'
import fastifyFramework from 'fastify'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { remoteUserAuthentication } from '../authenticators/remote-user.js'
import { tokenAuthentication } from '../authenticators/token.js'
import { personalTokens } from '../endpoints/personal-tokens.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import type { LatchkeyOptions } from '../latchkey-options.js'
import { argon2id } from '../passwords/argon2id.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import type { Handler } from '../request.js'
import { memoryStore } from '../stores/memory.js'
import { apiView } from '../views/api-view.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import { hono } from './hono.js'
import { fromIncoming, listener } from './node-http.js'
import { peerOf } from './node-peer.js'

const PASSWORD = 'open sesame 1'

interface Given extends Partial<LatchkeyOptions> {
  readonly warnings?: string[]
}

function newLatchkey({ warnings = [], ...options }: Given = {}): Latchkey {
  return createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }), concurrency: 1 },
    loginRate: '3/hour',
    authentication: [tokenAuthentication({ policies: ['authtoken', 'personal'] })],
    onError: (error) => warnings.push(error instanceof Error ? `${error.name}: ${error.message}` : 'other'),
    ...options,
  })
}

/** One server for each adapter, with the login and a guarded route. */
const SERVERS: Readonly<Record<string, (latchkey: Latchkey) => Server>> = {
  'node:http'(latchkey) {
    const login = listener(latchkey.endpoints.obtainAuthToken)
    const gate = latchkey.gate([isAuthenticated])
    return createServer(async (request, response) => {
      if (request.url === '/login/') return login(request, response)
      const { refusal } = await gate(fromIncoming(request))
      response.writeHead(refusal?.status ?? 200, { connection: 'close' }).end()
    })
  },
  express(latchkey) {
    const app = expressFramework()
    app.all('/login/', express.endpoint(latchkey.endpoints.obtainAuthToken))
    app.get('/hello/', express.guard(latchkey, isAuthenticated), (_request, response) => {
      response.end('hello')
    })
    return createServer(app as RequestListener)
  },
  fastify(latchkey) {
    const app = fastifyFramework({
      serverFactory: (handler) =>
        createServer((request, response) => app.ready(() => handler(request, response))),
    })
    app.register(fastify.endpoints({ '/login/': latchkey.endpoints.obtainAuthToken }))
    app.get(
      '/hello/',
      fastify.route(latchkey, [isAuthenticated], async () => ({})),
    )
    return app.server
  },
  hono(latchkey) {
    const app = new Hono()
    app.all('/login/', hono.endpoint(latchkey.endpoints.obtainAuthToken))
    app.get(
      '/hello/',
      hono.route(latchkey, [isAuthenticated], (context) => context.json({})),
    )
    return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
  },
}

type Place = { readonly path: string } | { readonly port: number; readonly host: string }

async function onUnixSocket(server: Server): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-peer-'))
  const path = join(folder, 's')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })
  return { path }
}

async function onTcp(server: Server): Promise<Place> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, host: '127.0.0.1' }
}

/** Sends these lines, and gives the status of the answer. */
function send(place: Place, target: string, lines: readonly string[], body = ''): Promise<number> {
  const socket = connect(place)
  const head = [
    `${body === '' ? 'GET' : 'POST'} ${target} HTTP/1.1`,
    'Host: x',
    'Connection: close',
    ...lines,
  ]
  const length = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]
  socket.write(`${[head[0], ...length, ...head.slice(1)].join('\r\n')}\r\n\r\n${body}`)
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)))
    socket.on('error', reject)
  })
}

const guess = (place: Place, password: string, ...lines: readonly string[]) =>
  send(place, '/login/', lines, JSON.stringify({ username: 'vitor', password }))

const EMPTY_LINES = (count: number) => Array.from({ length: count }, () => 'a:')

async function personalToken(latchkey: Latchkey, allowedAddresses: readonly string[]): Promise<string> {
  const user = await latchkey.users.create({ username: 'vitor', password: PASSWORD })
  const { secret } = await latchkey.tokens.issue({ user, policy: 'personal', name: 'x', allowedAddresses })
  return `Authorization: Token ${secret.reveal()}`
}

describe.each(Object.keys(SERVERS))('%s on a Unix socket', (name) => {
  const serve = (latchkey: Latchkey) => onUnixSocket(SERVERS[name]!(latchkey))

  it('counts callers one by one where the proxy is named as unix', async () => {
    const latchkey = newLatchkey({ trustedProxies: ['unix'] })
    await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    const place = await serve(latchkey)
    for (let tries = 0; tries < 3; tries += 1)
      expect(await guess(place, 'wrong', 'X-Forwarded-For: 203.0.113.9')).toBe(400)
    expect(await guess(place, PASSWORD, 'X-Forwarded-For: 203.0.113.9')).toBe(429)
    expect(await guess(place, PASSWORD, 'X-Forwarded-For: 198.51.100.1')).toBe(200)
  })

  it('compares allow-lists with the address that the proxy wrote', async () => {
    const latchkey = newLatchkey({ trustedProxies: ['unix'], policies: [personalTokens().policy] })
    const token = await personalToken(latchkey, ['192.0.2.0/24'])
    const place = await serve(latchkey)
    expect(await send(place, '/hello/', [token, 'X-Forwarded-For: 192.0.2.7'])).toBe(200)
    expect(await send(place, '/hello/', [token, 'X-Forwarded-For: 203.0.113.9'])).toBe(401)
    expect(await send(place, '/hello/', [token])).toBe(401)
  })

  it('warns once, by the name of the option, where it is not named', async () => {
    const warnings: string[] = []
    const latchkey = newLatchkey({ warnings })
    await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    const place = await serve(latchkey)
    for (let tries = 0; tries < 3; tries += 1) await guess(place, 'wrong')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(
      /^LatchkeyWarning: trustedProxies: .*Unix socket.*add 'unix' to trustedProxies/,
    )
  })

  it('believes Remote-User of the socket where remoteUserAuthentication names it', async () => {
    const hello = async (...trustedProxies: string[]) => {
      const warnings: string[] = []
      const authentication = [remoteUserAuthentication({ trustedProxies })]
      const latchkey = newLatchkey({ authentication, warnings })
      await latchkey.users.create({ username: 'vitor' })
      const place = await serve(latchkey)
      return { status: await send(place, '/hello/', ['Remote-User: vitor']), warnings }
    }
    expect(await hello('unix')).toEqual({ status: 200, warnings: [] })
    const { status, warnings } = await hello('127.0.0.1')
    expect(status).toBe(403)
    expect(warnings[0]).toMatch(/^LatchkeyWarning: remoteUserAuthentication: .*Unix socket/)
  })
})

describe.each(Object.keys(SERVERS))('%s with as many header lines as Node keeps', (name) => {
  const FORWARDED = 'X-Forwarded-For: 203.0.113.9'

  async function start(options: Given = {}, maxHeadersCount?: number) {
    const latchkey = newLatchkey({
      trustedProxies: ['127.0.0.1'],
      policies: [personalTokens().policy],
      ...options,
    })
    const token = await personalToken(latchkey, ['127.0.0.1', '192.0.2.0/24'])
    const server = SERVERS[name]!(latchkey)
    if (maxHeadersCount !== undefined) server.maxHeadersCount = maxHeadersCount
    return { token, place: await onTcp(server) }
  }

  it('does not take the proxy for the caller', async () => {
    const { token, place } = await start()
    expect(await send(place, '/hello/', [token, 'X-Forwarded-For: 192.0.2.7'])).toBe(200)
    for (const count of [990, 996, 997, 998, 1000, 1500, 3000])
      expect([count, await send(place, '/hello/', [token, ...EMPTY_LINES(count), FORWARDED])]).toEqual([
        count,
        401,
      ])
  })

  it('follows maxHeadersCount of the server', async () => {
    const few = await start({}, 20)
    expect(await send(few.place, '/hello/', [few.token, ...EMPTY_LINES(20), FORWARDED])).toBe(401)
    expect(
      await send(few.place, '/hello/', [few.token, ...EMPTY_LINES(20), 'X-Forwarded-For: 192.0.2.7']),
    ).toBe(401)
    const all = await start({}, 0)
    expect(
      await send(all.place, '/hello/', [all.token, ...EMPTY_LINES(1500), 'X-Forwarded-For: 192.0.2.7']),
    ).toBe(200)
    expect(await send(all.place, '/hello/', [all.token, ...EMPTY_LINES(1500), FORWARDED])).toBe(401)
  })

  it('does not count guesses at the address of the proxy', async () => {
    const { place } = await start()
    for (let tries = 0; tries < 4; tries += 1) await guess(place, 'wrong', ...EMPTY_LINES(1000), FORWARDED)
    // What has as many lines is counted together, so that it gives no further guesses.
    expect(await guess(place, PASSWORD, ...EMPTY_LINES(1000), 'X-Forwarded-For: 203.0.113.10')).toBe(429)
    expect(await guess(place, PASSWORD, 'X-Forwarded-For: 127.0.0.1')).toBe(200)
  })

  it('does not believe Remote-User', async () => {
    const { place } = await start({
      authentication: [remoteUserAuthentication({ trustedProxies: ['127.0.0.1'] })],
    })
    expect(await send(place, '/hello/', ['Remote-User: vitor'])).toBe(200)
    expect(
      await send(place, '/hello/', ['Remote-User: vitor', ...EMPTY_LINES(1000), 'Remote-User: ana']),
    ).toBe(403)
  })
})

describe('peerOf', () => {
  /** What `peerOf` says of one request, at once and when its connection has ended. */
  async function peers(listen: (server: Server) => Promise<Place>, server = createServer()) {
    const seen = new Promise<readonly unknown[]>((resolve) => {
      server.once('request', (request: IncomingMessage) => {
        const early = peerOf(request)
        request.socket.once('close', () => resolve([early, peerOf(request)]))
        request.socket.destroy()
      })
    })
    await send(await listen(server), '/', []).catch(() => 0)
    return seen
  }

  it('is the address, unix, and nothing for a connection that has ended before it was asked', async () => {
    expect((await peers(onTcp))[0]).toBe('127.0.0.1')
    expect(await peers(onUnixSocket)).toEqual(['unix', ''])
  })

  it('never takes a TCP connection without a peer for a Unix socket', async () => {
    const server = createServer()
    const closed = new Promise((resolve) => {
      server.once('request', (request: IncomingMessage) => {
        const { socket } = request
        socket.destroy()
        socket.once('close', () => resolve(peerOf(request)))
      })
    })
    await send(await onTcp(server), '/', []).catch(() => 0)
    expect(await closed).toBe('')
  })

  it('stays unix on a connection that is open when the server stops listening', async () => {
    const seen: unknown[] = []
    const server = createServer((request, response) => {
      seen.push(peerOf(request))
      // Stops listening, and leaves the connection open.
      Reflect.apply(Object.getPrototypeOf(Object.getPrototypeOf(server)).close, server, [])
      response.end()
    })
    const place = await onUnixSocket(server)
    const socket = connect(place)
    const ask = () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise<void>((resolve) => {
      socket.on('data', () => (seen.length < 2 ? ask() : resolve()))
      ask()
    })
    socket.destroy()
    expect(seen).toEqual(['unix', 'unix'])
  })

  it('is known over HTTP/2, whose streams lose no header lines', async () => {
    const seen: unknown[] = []
    const server = createHttp2Server((request, response) => {
      seen.push(peerOf(request as unknown as IncomingMessage))
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      session.close()
      server.close()
    })
    await new Promise<void>((resolve, reject) => {
      const stream = session.request({ ':path': '/' }).on('close', resolve).on('error', reject)
      stream.resume().end()
    })
    expect(seen).toEqual(['127.0.0.1'])
  })
})

describe('a login whose connection ends with its body', () => {
  it('is counted for the address that it came from', async () => {
    const addresses: string[] = []
    const latchkey = newLatchkey({
      onEvent: (event) => 'address' in event && addresses.push(String(event.address)),
    })
    await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    const handler: Handler = latchkey.endpoints.obtainAuthToken
    let isOpen = true
    await handler({
      method: 'POST',
      rawPath: '/login/',
      query: '',
      secure: false,
      get remoteAddress() {
        return isOpen ? '192.0.2.1' : ''
      },
      header: (name) => (name === 'content-type' ? 'application/json' : undefined),
      async body() {
        isOpen = false
        return Buffer.from('{"username":"vitor","password":"wrong"}')
      },
    })
    expect(addresses).toEqual(['192.0.2.1'])
  })
})

describe('a view', () => {
  it('sees no address in allow-lists where the runtime gives none, and warns once', async () => {
    const warnings: string[] = []
    const latchkey = newLatchkey({ warnings })
    const view = latchkey.handler(
      apiView({ permissions: [], get: ({ address, clientAddress }) => ({ address, clientAddress }) }),
    )
    const ask = async (remoteAddress: string | undefined) => {
      const request = {
        method: 'GET',
        rawPath: '/',
        query: '',
        secure: false,
        remoteAddress,
        header: () => undefined,
      }
      return JSON.parse(
        String((await view({ ...request, body: async () => new Uint8Array() })).body),
      ) as unknown
    }
    expect(await ask(undefined)).toEqual({ address: '', clientAddress: '' })
    expect(await ask(undefined)).toEqual({ address: '', clientAddress: '' })
    expect(await ask('')).toEqual({ address: '', clientAddress: '' })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^LatchkeyWarning: remoteAddress: .*fetchHandler/)
  })
})

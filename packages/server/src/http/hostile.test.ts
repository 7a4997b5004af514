import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import fc from 'fast-check'
import {
  allowAny,
  apiView,
  basicAuthentication,
  createLatchkey,
  isAuthenticated,
  type Latchkey,
  obtainAuthToken,
  sessionAuthentication,
  tokenAuthentication,
} from 'latchkey'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from './app.js'
import { type RunningServer, serve } from './serve.js'
import { path } from './urls.js'

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

describe('hostile bytes over HTTP', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-hostile-'))
  const errors: unknown[] = []
  let latchkey: Latchkey
  let server: RunningServer
  let port: number
  let token: string

  beforeAll(async () => {
    latchkey = createLatchkey({
      store: sqlite(join(folder, 'db.sqlite3'), { synchronous: 'normal' }),
      secret: 'a secret of at least thirty-two characters',
      loginRate: null,
      onError: (error) => errors.push(error),
    })
    const user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
    token = (await latchkey.tokens.issue({ user })).secret.reveal()
    const authentication = [tokenAuthentication(), basicAuthentication(), sessionAuthentication()]
    const app = createApp(latchkey, [
      path(
        '/hello/',
        apiView({ authentication, permissions: [isAuthenticated], get: () => ({ ok: true }) }),
        {
          formatSuffixes: true,
        },
      ),
      path('/echo/', apiView({ permissions: [allowAny], post: (request) => request.data() })),
      path(
        '/users/:name/',
        apiView({ permissions: [allowAny], get: ({ params }) => ({ name: params.name }) }),
      ),
      path('/api-token-auth/', obtainAuthToken({ authentication })),
    ])
    server = await serve({ app, host: '127.0.0.1', port: 0, requestTimeoutSeconds: 2 })
    port = Number(new URL(server.url).port)
  })
  afterAll(async () => {
    await server.close()
    await latchkey.close()
    rmSync(folder, { recursive: true })
  })

  /** Sends bytes as they are; resolves when the server has answered and closed. */
  function send(...pieces: ReadonlyArray<string | Uint8Array>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      const chunks: Buffer[] = []
      const settle = () => {
        const text = Buffer.concat(chunks).toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0)
        resolve({ status, head: text.slice(0, end), body: text.slice(end + 4) })
      }
      const giveUp = setTimeout(() => {
        socket.destroy()
        reject(new Error('the server hangs'))
      }, 15_000)
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearTimeout(giveUp)
        settle()
      })
      for (const piece of pieces)
        socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
    })
  }

  const request = (method: string, target: string, headers: string, body: Uint8Array | string = '') => {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const length = bytes.length > 0 || method === 'POST' ? `Content-Length: ${bytes.length}\r\n` : ''
    return send(
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}${headers}\r\n`,
      bytes,
    )
  }

  function expectClear4xx({ status, head, body }: Answer) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(head.toLowerCase()).toContain('content-type: application/json')
    expect(JSON.parse(Buffer.from(body, 'latin1').toString('utf8'))).toBeTypeOf('object')
  }

  /** Header values without the bytes that end a header. */
  const headerBytes = fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13)).toString('latin1'))

  it('in Authorization give a 4xx', async () => {
    const schemes = fc.constantFrom('', 'Token ', 'token\t', 'Basic ', 'Bearer ')
    await fc.assert(
      fc.asyncProperty(schemes, headerBytes, async (scheme, bytes) => {
        expectClear4xx(await request('GET', '/hello/', `Authorization: ${scheme}${bytes}\r\n`))
      }),
      { numRuns: 150 },
    )
  })

  it('in Cookie give a 4xx', async () => {
    await fc.assert(
      fc.asyncProperty(headerBytes, async (bytes) => {
        expectClear4xx(await request('GET', '/hello/', `Cookie: sessionid=${bytes}; csrftoken=${bytes}\r\n`))
      }),
      { numRuns: 100 },
    )
  })

  it('in Accept, Content-Type, Host and X-Forwarded-For never give a 5xx', async () => {
    const names = fc.constantFrom(
      'Accept',
      'Content-Type',
      'X-Forwarded-For',
      'X-CSRFToken',
      'Referer',
      'Accept-Language',
    )
    await fc.assert(
      fc.asyncProperty(names, headerBytes, async (name, bytes) => {
        const { status } = await request('POST', '/echo/', `${name}: ${bytes}\r\n`, '{}')
        expect(status).toBeGreaterThan(0)
        expect(status).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })

  it('in the path and the query give a 4xx', async () => {
    const target = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => Buffer.from(bytes).toString('latin1').replace(/[\s]/g, ''))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('/', '/hello/?', '/hello', '/users/', '/hello.', '//'),
        target,
        async (start, rest) => {
          const answer = await request('GET', `${start}${rest}`, '')
          if (![200, 301].includes(answer.status)) expectClear4xx(answer)
        },
      ),
      { numRuns: 200 },
    )
    for (const path of [
      '/%00/',
      '/hello/%ff',
      '/%',
      '/hello/?format=%00',
      '/users/%00/x',
      '/..%2f..%2fetc/passwd',
      '/hello/?%ff=%fe&format=%zz',
    ]) {
      const answer = await request('GET', path, '')
      expectClear4xx(answer)
    }
  })

  it('in a login body give a 4xx, in every format', async () => {
    const types = fc.constantFrom(
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'multipart/form-data',
      'application/json; charset=utf-16',
      'text/plain',
      '*/*',
    )
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .dictionary(fc.constantFrom('username', 'password', '__proto__', 'constructor', 'x'), fc.jsonValue())
        .map((value) => Buffer.from(JSON.stringify(value))),
    )
    await fc.assert(
      fc.asyncProperty(types, bodies, async (type, body) => {
        expectClear4xx(await request('POST', '/api-token-auth/', `Content-Type: ${type}\r\n`, body))
      }),
      { numRuns: 250 },
    )
  })

  const JSON_TYPE = 'Content-Type: application/json\r\n'

  it.each([
    ['a NUL in the username', '{"username":"a\\u0000b","password":"x"}', 400],
    ['prototype keys', '{"__proto__":{"username":"vitor","password":"open sesame 1"}}', 400],
    [
      'duplicate keys, of which the last counts',
      '{"username":"vitor","password":"open sesame 1","password":"x"}',
      400,
    ],
    ['a huge number', `{"username":1${'0'.repeat(4000)},"password":1e999}`, 400],
    ['an absurd number', `{"username":${'9'.repeat(100_000)},"password":"x"}`, 400],
    ['deep nesting', `{"username":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 400],
    ['deep objects', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`, 400],
    ['an endless password', `{"username":"vitor","password":"${'x'.repeat(900_000)}"}`, 400],
    ['10 MB', `{"username":"${'x'.repeat(10_000_000)}"}`, 413],
  ])('%s in a body', async (_, body, status) => {
    const answer = await request('POST', '/api-token-auth/', JSON_TYPE, body)
    expect(answer.status).toBe(status)
    expectClear4xx(answer)
  })

  it('10 MB that are announced as chunks of unknown length', async () => {
    const chunk = `${(100_000).toString(16)}\r\n${'x'.repeat(100_000)}\r\n`
    const head = `POST /echo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n`
    const answer = await send(head, ...Array.from({ length: 100 }, () => chunk), '0\r\n\r\n')
    expect(answer.status).toBe(413)
  })

  it('1 MB of headers, one or many', async () => {
    expectClear4xx(
      await send(`GET /hello/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token ${'x'.repeat(1_000_000)}\r\n\r\n`),
    )
    const many = Array.from({ length: 50_000 }, (_, index) => `X-${index}: y\r\n`).join('')
    expectClear4xx(await send(`GET /hello/ HTTP/1.1\r\nHost: x\r\n${many}\r\n`))
    expectClear4xx(await send(`GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`))
  })

  it.each([
    ['no HTTP at all', '\u0000\u0001\u0002\r\n\r\n'],
    ['another protocol', '\u0016\u0003\u0001\u0002\u0000\u0001'],
    ['an unknown method', 'FOO /hello/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a NUL in a header', 'GET /hello/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token a\u0000b\r\n\r\n'],
    ['a header without a colon', 'GET /hello/ HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
    ['two lengths', 'POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and chunks (request smuggling)',
      'POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative length', 'POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    ['a broken chunk', 'POST /echo/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['no Host', 'GET /hello/ HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['a strange Host', 'GET /hello/ HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n'],
    ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two Hosts', 'GET /hello/ HTTP/1.1\r\nHost: x\r\nhost: x\r\nConnection: close\r\n\r\n'],
    ['an expectation that nobody knows', 'GET /hello/ HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    expectClear4xx(await send(bytes))
  })

  it('a transfer coding that is not understood is 501', async () => {
    const head =
      'POST /echo/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'
    expect(await send(`${head}0\r\n\r\n`)).toMatchObject({ status: 501 })
  })

  it('HTTP/1.0 needs no Host: health checks send none', async () => {
    const answer = await send(`GET /hello/ HTTP/1.0\r\nAuthorization: Token ${token}\r\n\r\n`)
    expect(answer).toMatchObject({ status: 200, body: '{"ok":true}' })
  })

  it('a body that comes too slowly is given up with 408', async () => {
    expectClear4xx(await send(`POST /echo/ HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}Content-Length: 100\r\n\r\n{`))
    expectClear4xx(await send('GET /hello/ HTTP/1.1\r\nHost: x\r\n'))
  })

  it('TRACE is answered by the view, and never echoed', async () => {
    const answer = await request('TRACE', '/api-token-auth/', '')
    expect(answer.status).toBe(405)
    expect(JSON.parse(answer.body)).toEqual({ detail: 'Method "TRACE" not allowed.' })
  })

  it.each([
    ...[
      '/./hello/',
      '/../hello/',
      '/x/../hello/',
      '/x/%2e%2E/hello/',
      '/hello/.',
      '/hello/x/..',
      '/%2e/hello',
    ],
    ...['http://x/./hello/', '/x/..?a', '/x/.%2e/hello/?q'],
  ])('%s is not the path that a URL would make of it', async (target) => {
    const answer = await request('GET', target, `Authorization: Token ${token}\r\n`)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([404, { detail: 'Not found.' }])
  })

  it.each([
    ['/hello', '/hello/'],
    ['/hel%6Co', '/hello/'],
    ["/hello?q='&next=/../", "/hello/?q='&next=/../"],
    ['/hello?q={}|^`', '/hello/?q=%7B%7D%7C%5E%60'],
    ['/hello?a=%2F%2f&b=%', '/hello/?a=%2F%2f&b=%'],
  ])('%s is sent to %s', async (target, location) => {
    const { status, head } = await request('GET', target, '')
    expect([status, /^location: (.*)$/im.exec(head)?.[1]]).toEqual([301, location])
  })

  it('a redirect never leaves the site', async () => {
    for (const target of ['//evil.example/..//hello', '/hello?next=//evil', '///hello']) {
      const location = /^location: (.*)$/im.exec((await request('GET', target, '')).head)?.[1] ?? '/'
      expect(location).not.toMatch(/^\/\/|^[a-z]+:/i)
    }
  })

  it('and after all of it the server still works and nothing went wrong inside', async () => {
    const answer = await request('GET', '/hello/', `Authorization: Token ${token}\r\n`)
    expect(answer).toMatchObject({ status: 200, body: '{"ok":true}' })
    expect(errors).toEqual([])
  })
})

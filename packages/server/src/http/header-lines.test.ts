import { connect } from 'node:net'
import { apiView, createLatchkey, isAuthenticated, memoryStore, throttleByAddress } from 'latchkey'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from './app.js'
import { type RunningServer, serve } from './serve.js'
import { path } from './urls.js'

describe('a request with thousands of header lines', () => {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    trustedProxies: ['127.0.0.1'],
  })
  let server: RunningServer
  let token: string
  beforeAll(async () => {
    const user = await latchkey.users.create({ username: 'vitor' })
    token = (await latchkey.tokens.issue({ user })).secret.reveal()
    const whoami = apiView({
      permissions: [isAuthenticated],
      throttles: [throttleByAddress('100000/min')],
      get: ({ clientAddress }) => ({ clientAddress }),
    })
    server = await serve({ app: createApp(latchkey, [path('/whoami/', whoami)]), host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await server.close()
    await latchkey.close()
  })

  /** Every line in front of those that matter. */
  function ask(lines: number, line = 'a:'): Promise<string> {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    const many = `${line}\r\n`.repeat(lines)
    socket.write(
      `GET /whoami/ HTTP/1.1\r\n${many}Host: x\r\nConnection: close\r\nAuthorization: Token ${token}\r\n` +
        'X-Forwarded-For: 203.0.113.9\r\n\r\n',
    )
    return new Promise((resolve, reject) => {
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      socket.on('close', () => resolve(text))
      socket.on('error', reject)
    })
  }

  it.each([0, 990, 1000, 3900, 15_000])(
    'loses none: %i in front of Host, Authorization and X-Forwarded-For',
    async (lines) => {
      const answer = await ask(lines)
      expect(answer).toMatch(/^HTTP\/1\.1 200 /)
      expect(answer).toContain('{"clientAddress":"203.0.113.9"}')
    },
  )

  it('is limited by its bytes', async () => {
    expect(await ask(20_000)).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('costs little: as many lines as fit in are answered with less than 40 ms of processor time', async () => {
    for (const line of ['a:', 'x-forwarded-for:', 'authorizatiox:', 'cookie:']) {
      const lines = Math.floor(15_000 / (line.length - 1))
      await ask(lines, line)
      const before = process.cpuUsage()
      for (let times = 0; times < 10; times += 1) await ask(lines, line)
      const { user, system } = process.cpuUsage(before)
      expect((user + system) / 10 / 1000).toBeLessThan(40)
    }
  })
})

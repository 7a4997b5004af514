import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const BIN = fileURLToPath(new URL('../bin/latchkey.js', import.meta.url))
const PASSWORD = 'open sesame 1'
const run = promisify(execFile)

/** The built command, real processes, one SQLite file: what an operator has. */
describe('a live server', () => {
  let folder: string
  let logs: string
  const running: ChildProcess[] = []

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-live-'))
    logs = ''
    await latchkey('migrate')
    await createUser('vitor')
  })
  afterEach(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true })
  })

  const env = (more: NodeJS.ProcessEnv = {}) => ({ PATH: process.env.PATH, HOME: folder, ...more })

  async function latchkey(...words: string[]) {
    const { stdout } = await run(process.execPath, [BIN, ...words], { cwd: folder, env: env() })
    return stdout
  }

  async function createUser(username: string) {
    const command = [BIN, 'createsuperuser', '--noinput', '--username', username, '--email', 'v@example.com']
    await run(process.execPath, command, { cwd: folder, env: env({ LATCHKEY_SUPERUSER_PASSWORD: PASSWORD }) })
  }

  async function serve(...words: string[]) {
    const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', ...words], {
      cwd: folder,
      env: env(),
    })
    running.push(child)
    child.stdout.on('data', (chunk) => {
      logs += chunk
    })
    for await (const line of createInterface({ input: child.stderr })) {
      logs += `${line}\n`
      const [url] = /http:\/\/[\d.:]+/.exec(line) ?? []
      if (url === undefined) continue
      child.stderr.on('data', (chunk) => {
        logs += chunk
      })
      child.stderr.resume()
      return { child, url }
    }
    throw new Error(`the server did not start: ${logs}`)
  }

  const login = async (url: string, password = PASSWORD, username = 'vitor') => {
    const response = await fetch(`${url}/api-token-auth/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    })
    return {
      status: response.status,
      headers: response.headers,
      json: (await response.json()) as { token?: string },
    }
  }
  const hello = async (url: string, token: string) => {
    const response = await fetch(`${url}/hello/`, { headers: { authorization: `Token ${token}` } })
    await response.arrayBuffer()
    return response.status
  }

  it('refuses, on its next request, a token that the command line revoked', async () => {
    const { url } = await serve()
    for (let round = 0; round < 5; round += 1) {
      const { json } = await login(url)
      const token = json.token ?? ''
      expect(await hello(url, token)).toBe(200)
      expect(await hello(url, token)).toBe(200)
      const [listed] = JSON.parse(await latchkey('token', 'list', '--json')) as Array<{ id: number }>
      await latchkey('token', 'revoke', String(listed?.id))
      expect(await hello(url, token)).toBe(401)
    }
  })

  it('refuses everything of a user whom the command line deactivated', async () => {
    const { url } = await serve()
    const token = (await login(url)).json.token ?? ''
    expect(await hello(url, token)).toBe(200)
    await latchkey('user', 'deactivate', 'vitor')
    expect(await hello(url, token)).toBe(401)
    expect((await login(url)).status).toBe(400)
    await latchkey('user', 'activate', 'vitor')
    expect(await hello(url, token)).toBe(200)
  })

  it('gives 100 parallel logins over two servers one and the same token', async () => {
    const servers = [await serve(), await serve()]
    const logins = await Promise.all(
      Array.from({ length: 100 }, (_, index) => login(servers[index % 2]!.url)),
    )
    expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(logins.map(({ json }) => json.token)).size).toBe(1)
    expect(JSON.parse(await latchkey('token', 'list', '--json'))).toHaveLength(1)
  })

  it('counts guesses across two servers, and never lets in more than the rate', async () => {
    const servers = [await serve('--login-rate', '5/hour'), await serve('--login-rate', '5/hour')]
    const guesses = await Promise.all(
      Array.from({ length: 40 }, (_, index) => login(servers[index % 2]!.url, `guess ${index}`)),
    )
    expect(guesses.filter(({ status }) => status === 400)).toHaveLength(5)
    const throttled = guesses.filter(({ status }) => status === 429)
    expect(throttled).toHaveLength(35)
    for (const { headers } of throttled) expect(Number(headers.get('retry-after'))).toBeGreaterThan(3000)
  })

  it('survives 200 parallel logins in bounded memory, and answers others meanwhile', async () => {
    const { url, child } = await serve('--login-rate', '1000/min')
    const token = (await login(url)).json.token ?? ''
    let done = false
    const logins = Promise.all(Array.from({ length: 200 }, () => login(url))).finally(() => {
      done = true
    })
    const waitsMs: number[] = []
    let peakMib = 0
    while (!done) {
      const start = performance.now()
      expect(await hello(url, token)).toBe(200)
      waitsMs.push(performance.now() - start)
      peakMib = Math.max(peakMib, residentMib(child))
    }
    for (const { status, headers } of await logins) {
      expect([200, 503]).toContain(status)
      if (status === 503) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(waitsMs.length).toBeGreaterThan(20)
    expect(waitsMs.toSorted((a, b) => a - b)[waitsMs.length >> 1]).toBeLessThan(100)
    expect(peakMib).toBeLessThan(400)
  })

  it('killed in the middle of logins, loses no token that a caller has', async () => {
    for (let index = 0; index < 12; index += 1) await createUser(`user${index}`)
    const acknowledged = new Map<string, string>()
    for (let round = 0; round < 3; round += 1) {
      const { url, child } = await serve('--login-rate', '1000/min')
      let killed = false
      const clients = Array.from({ length: 12 }, async (_, index) => {
        const username = `user${index}`
        while (!killed) {
          const answer = await login(url, PASSWORD, username).catch(() => undefined)
          const token = answer?.json.token
          if (token === undefined) continue
          expect(acknowledged.get(username) ?? token).toBe(token)
          acknowledged.set(username, token)
          if (acknowledged.size > (round + 1) * 3) {
            killed = true
            child.kill('SIGKILL')
          }
        }
      })
      await Promise.all(clients)
    }
    const { url } = await serve()
    expect(acknowledged.size).toBeGreaterThan(8)
    for (const token of acknowledged.values()) expect(await hello(url, token)).toBe(200)
  })

  it('keeps no usable secret: not in the database, its WAL, the key file or the logs', async () => {
    const { url } = await serve()
    const token = (await login(url)).json.token ?? ''
    await login(url, 'a very wrong password')
    expect(await hello(url, token)).toBe(200)
    expect(await hello(url, `${token}x`)).toBe(401)
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['latchkey.sqlite3', 'latchkey.sqlite3-wal', 'secret']),
    )
    const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    for (const text of [...texts, logs]) {
      for (let index = 0; index + 12 <= token.length; index += 1)
        expect(text).not.toContain(token.slice(index, index + 12))
      expect(text).not.toContain(PASSWORD)
      expect(text).not.toContain('a very wrong password')
    }
  })

  it('lets running requests finish when it is told to stop', async () => {
    const { url, child } = await serve()
    const answer = login(url)
    await fetch(`${url}/hello/`)
    child.kill('SIGTERM')
    expect((await answer).status).toBe(200)
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    expect(code).toBe(0)
  })
})

/** What the process holds in memory: Linux says so in /proc, other systems through ps. */
function residentMib({ pid }: ChildProcess): number {
  const kib = existsSync('/proc/self/status')
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(kib) / 1024
}

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sqlite } from '@latchkey/sql'
import { Keyring } from 'latchkey'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const BIN = fileURLToPath(new URL('../bin/latchkey.js', import.meta.url))
const PASSWORD = 'open sesame 1'
const run = promisify(execFile)

const CONFIG = `
import { defineConfig, path } from '@latchkey/server'
import { apiView, isAuthenticated, jwks, jwtAuthentication, tokenObtainPair, tokenRefresh } from 'latchkey'

export default defineConfig({
  authentication: [jwtAuthentication()],
  jwt: { keys: 'store', publishSeconds: 1 },
  urlpatterns: [
    path('.well-known/jwks.json', jwks()),
    path('api/token/', tokenObtainPair()),
    path('api/token/refresh/', tokenRefresh()),
    path('hello/', apiView({ permissions: [isAuthenticated], get: ({ user }) => ({ hello: user.username }) })),
  ],
})
`

/** The built command, real processes, one SQLite file. */
describe('signing keys of a live server', () => {
  let folder: string
  const running: ChildProcess[] = []

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-keys-'))
    symlinkSync(
      fileURLToPath(new URL('../../../node_modules', import.meta.url)),
      join(folder, 'node_modules'),
    )
    writeFileSync(join(folder, 'latchkey.config.ts'), CONFIG)
    await latchkey('migrate')
    await latchkey('createsuperuser', '--noinput', '--username', 'vitor', '--email', 'v@example.com')
    await latchkey('keys', 'generate')
  })
  afterEach(async () => {
    for (const child of running.splice(0)) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    rmSync(folder, { recursive: true })
  })

  const env = () => ({ PATH: process.env.PATH, HOME: folder, LATCHKEY_SUPERUSER_PASSWORD: PASSWORD })
  const latchkey = async (...words: string[]) =>
    (await run(process.execPath, [BIN, ...words], { cwd: folder, env: env() })).stdout.trim()

  async function serve(): Promise<string> {
    const child = spawn(process.execPath, [BIN, 'serve', '--port', '0'], { cwd: folder, env: env() })
    running.push(child)
    child.stdout.resume()
    for await (const line of createInterface({ input: child.stderr })) {
      const [url] = /http:\/\/[\d.:]+/.exec(line) ?? []
      if (url === undefined) continue
      child.stderr.resume()
      return url
    }
    throw new Error('the server did not start')
  }

  const post = async (url: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const json = (await response.json()) as { readonly access?: string; readonly refresh?: string }
    return { status: response.status, access: json.access ?? '', refresh: json.refresh ?? '' }
  }
  const login = (url: string) => post(`${url}/api/token/`, { username: 'vitor', password: PASSWORD })
  const hello = async (url: string, access: string) => {
    const response = await fetch(`${url}/hello/`, { headers: { authorization: `Bearer ${access}` } })
    await response.arrayBuffer()
    return response.status
  }
  const published = async (url: string) => {
    const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as {
      keys: { kid: string }[]
    }
    return keys.map(({ kid }) => kid)
  }

  it('rotate under load, with their secret: nobody is refused, and what is retired is refused at once', async () => {
    const servers = [await serve(), await serve()] as const
    const first = await login(servers[0])
    const tokens = new Map([[kidOf(first.access), first.access]])
    const seen = new Map<string, () => void>()
    const statuses = new Map<number, number>()
    const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1)
    let isDone = false
    const callers = Array.from({ length: 6 }, async (_, number) => {
      for (let round = number; !isDone; round += 1) {
        const [here, there] = round % 2 === 0 ? servers : ([servers[1], servers[0]] as const)
        const { status, access } = await post(`${here}/api/token/refresh/`, { refresh: first.refresh })
        count(status)
        count(await hello(there, access))
        tokens.set(kidOf(access), access)
        seen.get(kidOf(access))?.()
        for (const token of tokens.values()) count(await hello(here, token))
      }
    })
    const signs = (kid: string) => new Promise<void>((resolve) => seen.set(kid, resolve))
    const kids = [kidOf(first.access)]
    const rotations = [
      ['keys', 'rotate'],
      ['keys', 'rotate', '--now', '--algorithm', 'EdDSA'],
      ['secret', 'rotate'],
      ['keys', 'rotate'],
      ['secret', 'rotate', '--no-new', '--drop-old'],
      ['keys', 'rotate', '--now', '--algorithm', 'ES384'],
    ]
    for (const words of rotations) {
      const printed = await latchkey(...words)
      if (words[0] !== 'keys') continue
      kids.push(printed)
      await signs(printed)
    }
    isDone = true
    await Promise.all(callers)
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(100)
    expect([...tokens.keys()]).toEqual(expect.arrayContaining(kids))
    for (const url of servers) expect(await published(url)).toEqual(expect.arrayContaining(kids))

    const last = kids.at(-1) ?? ''
    for (const kid of kids.slice(0, -1)) {
      const token = tokens.get(kid) ?? ''
      for (const url of servers) expect(await hello(url, token)).toBe(200)
      await latchkey('keys', 'retire', kid)
      for (const url of servers) expect(await hello(url, token)).toBe(401)
    }
    for (const url of servers) {
      expect(await published(url)).toEqual([last])
      expect(await hello(url, tokens.get(last) ?? '')).toBe(200)
      expect((await post(`${url}/api/token/refresh/`, { refresh: first.refresh })).status).toBe(401)
    }
  })

  it('are in no file in clear, neither as PEM nor as DER, JWK or number', async () => {
    const url = await serve()
    await login(url)
    await latchkey('keys', 'rotate', '--algorithm', 'EdDSA')
    const store = sqlite(join(folder, 'latchkey.sqlite3'))
    const records = await store.keys.list()
    await store.close()
    const secret = readFileSync(join(folder, '.latchkey/secret'), 'utf8').trim()
    const texts = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
      .map(({ parentPath, name }) => ({ name, text: readFileSync(join(parentPath, name), 'latin1') }))
    expect(texts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['latchkey.sqlite3', 'latchkey.sqlite3-wal']),
    )
    expect(records).toHaveLength(2)
    for (const { kid, algorithm, sealed } of records) {
      const sealedAs = { kind: 'signing key', kid, algorithm } as const
      const pem = new Keyring(secret).open(sealed ?? new Uint8Array(), sealedAs)
      const key = createPrivateKey(pem)
      const { d = '' } = key.export({ format: 'jwk' })
      const number = Buffer.from(d, 'base64url')
      const spellings = [
        pem,
        pem.split('\n')[1] ?? '',
        key.export({ type: 'pkcs8', format: 'der' }).toString('latin1'),
        d,
        number.toString('hex'),
        number.toString('base64'),
        ...Array.from({ length: number.length - 8 }, (_, at) => number.toString('latin1', at, at + 8)),
      ]
      expect(texts.some(({ text }) => text.includes(kid))).toBe(true)
      for (const { name, text } of texts) {
        for (const spelling of spellings)
          expect(text.includes(spelling), `${name} holds a private key`).toBe(false)
      }
    }
  })
})

function kidOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid
}

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const TEMPLATE = fileURLToPath(new URL('../templates/project/', import.meta.url))
const PACKAGES = fileURLToPath(new URL('../../../node_modules', import.meta.url))

interface Created {
  readonly id: number
  readonly token: string
}

interface Listed {
  readonly id: number
  readonly useCount: number
  readonly lastUsedAt: string | null
  readonly lastUsedAddress: string | null
  readonly previous: { readonly useCount: number } | null
}

/** A new project, as `startproject` writes it, served by real processes over one SQLite file. */
describe('personal tokens of a live server', () => {
  let folder: string
  let login: string
  const children: ChildProcess[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-personal-'))
    symlinkSync(PACKAGES, join(folder, 'node_modules'))
    mkdirSync(join(folder, 'core'))
    for (const file of ['latchkey.config.ts', 'urls.ts', 'core/views.ts', 'core/tokens.ts'])
      writeFileSync(join(folder, file), readFileSync(join(TEMPLATE, `${file}.tmpl`)))
    latchkey('migrate')
    latchkey('createuser', 'vitor', '--noinput')
    login = `Token ${latchkey('token', 'create', 'vitor').trim()}`
  })

  afterEach(async () => {
    for (const child of children.splice(0)) await stop(child, 'SIGKILL')
    rmSync(folder, { recursive: true })
  })

  function latchkey(...argv: readonly string[]): string {
    const options = { cwd: folder, env: cleanEnvironment(), encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [LATCHKEY, ...argv], options)
    expect(status, stderr).toBe(0)
    return stdout
  }

  async function serve() {
    const child = spawn(process.execPath, [LATCHKEY, 'serve', '0'], { cwd: folder, env: cleanEnvironment() })
    children.push(child)
    const url = await new Promise<string>((resolve, reject) => {
      let text = ''
      child.stdout.resume()
      child.once('exit', () => reject(new Error(text)))
      child.stderr.on('data', (chunk) => {
        text += chunk
        const [, found] = /listens on (\S+)\//.exec(text) ?? []
        if (found !== undefined) resolve(found)
      })
    })
    return { child, url }
  }

  async function stop(child: ChildProcess, signal: NodeJS.Signals) {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  async function send(url: string, method: string, path: string, authorization: string, body?: object) {
    const response = await fetch(url + path, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, json: JSON.parse(text === '' ? 'null' : text) as Created }
  }

  async function create(url: string, body: object = {}): Promise<Created> {
    const { status, json } = await send(url, 'POST', '/api/tokens/', login, { name: 'CI', ...body })
    expect(status).toBe(201)
    return json
  }

  const hello = async (url: string, token: string) =>
    (await send(url, 'GET', '/hello/', `Bearer ${token}`)).status
  const show = (id: number) => JSON.parse(latchkey('token', 'show', String(id), '--json')) as Listed

  /** Everything that the database is made of, byte by byte. */
  function databaseBytes(): string {
    const hash = createHash('sha256')
    // The shared memory beside the database is where readers take their locks; it is made anew from the other two.
    const files = readdirSync(folder).filter((name) => /^latchkey\.sqlite3(-wal)?$/.test(name))
    expect(files).toContain('latchkey.sqlite3-wal')
    for (const name of files) hash.update(name).update(readFileSync(join(folder, name)))
    return hash.digest('hex')
  }

  it('write nothing while they are used, and their uses when the server is told to stop', async () => {
    const { child, url } = await serve()
    const { id, token: first } = await create(url)
    const { json } = await send(url, 'POST', `/api/tokens/${id}/rotate/`, login, {})
    expect(await hello(url, first)).toBe(200)
    expect(await hello(url, json.token)).toBe(200)
    const before = databaseBytes()
    const secrets = Array.from({ length: 300 }, (_, index) => (index % 3 === 0 ? first : json.token))
    const statuses = await Promise.all(secrets.map((secret) => hello(url, secret)))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(databaseBytes()).toBe(before)
    expect(show(id)).toMatchObject({ useCount: 0, lastUsedAt: null })
    await stop(child, 'SIGTERM')
    expect(child.exitCode).toBe(0)
    const uses = show(id)
    expect(uses).toMatchObject({ useCount: 201, lastUsedAddress: '127.0.0.1', previous: { useCount: 101 } })
    expect(Date.now() - Date.parse(uses.lastUsedAt ?? '')).toBeLessThan(60_000)
  })

  it('lose the uses of the last seconds and nothing else when the server is killed', async () => {
    const { child, url } = await serve()
    const kept = await create(url)
    const revoked = await create(url)
    const { json: rotated } = await send(url, 'POST', `/api/tokens/${kept.id}/rotate/`, login, {
      overlap_seconds: 0,
    })
    expect((await send(url, 'DELETE', `/api/tokens/${revoked.id}/`, login)).status).toBe(204)
    for (let use = 0; use < 20; use += 1) expect(await hello(url, rotated.token)).toBe(200)
    // A list is told what was counted until then.
    expect((await send(url, 'GET', `/api/tokens/${kept.id}/`, login)).json).toMatchObject({ use_count: 20 })
    for (let use = 0; use < 5; use += 1) expect(await hello(url, rotated.token)).toBe(200)
    const newest = await create(url)
    await stop(child, 'SIGKILL')
    const again = await serve()
    for (const [token, status] of [
      [rotated.token, 200],
      [newest.token, 200],
      [kept.token, 401],
      [revoked.token, 401],
    ] as const)
      expect(await hello(again.url, token)).toBe(status)
    await stop(again.child, 'SIGTERM')
    expect(show(kept.id).useCount).toBe(21)
    expect(show(newest.id).useCount).toBe(1)
    expect(latchkey('token', 'list', '--policy', 'personal', '--json')).not.toContain(`"id": ${revoked.id},`)
  })

  it('count over two servers: the uses of both come together', async () => {
    const servers = [await serve(), await serve()]
    const { id, token } = await create(servers[0]!.url)
    const uses = Array.from({ length: 40 }, (_, index) => hello(servers[index % 2]!.url, token))
    expect(new Set(await Promise.all(uses))).toEqual(new Set([200]))
    for (const { child } of servers) await stop(child, 'SIGTERM')
    expect(show(id).useCount).toBe(40)
  })

  it('are refused by a running server from the moment the command line revokes them, by any flag', async () => {
    const { url } = await serve()
    for (const flags of [['--policy', 'personal'], ['--user', 'vitor', '--policy', 'personal'], ['--hint']]) {
      const { token } = await create(url)
      expect(await hello(url, token)).toBe(200)
      const last = flags.at(-1) === '--hint' ? [`lk_pat_…${token.slice(-4)}`] : []
      expect(latchkey('token', 'revoke', ...flags, ...last)).toMatch(/^Revoked 1 token /)
      expect(await hello(url, token)).toBe(401)
    }
    const { id, token: first } = await create(url)
    const second = latchkey('token', 'rotate', String(id)).trim()
    expect([await hello(url, first), await hello(url, second)]).toEqual([200, 200])
    latchkey('token', 'finish-rotation', String(id), '--force')
    expect([await hello(url, first), await hello(url, second)]).toEqual([401, 200])
  })

  it('leave nothing usable behind: not in the database, its WAL or the key file', async () => {
    const { url } = await serve()
    const { id, token: first } = await create(url)
    const second = latchkey('token', 'rotate', String(id)).trim()
    for (const token of [first, second]) expect(await hello(url, token)).toBe(200)
    await send(url, 'GET', '/api/tokens/', login)
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && /^latchkey\.sqlite3|^secret$/.test(entry.name),
    )
    expect(files.length).toBeGreaterThan(2)
    for (const { parentPath, name } of files) {
      const text = readFileSync(join(parentPath, name), 'latin1')
      for (const token of [first, second])
        for (let at = 'lk_pat_'.length; at + 8 <= token.length; at += 1)
          expect(text.includes(token.slice(at, at + 8)), name).toBe(false)
    }
  })
})

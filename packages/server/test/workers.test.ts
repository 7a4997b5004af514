import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const PASSWORD = 'correct horse battery'
const run = promisify(execFile)
/** Nothing here waits for this to pass, however busy the machine is. */
const PATIENT = ['--shutdown-seconds', '600'] as const

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

/** Views that say which process answers, and one that answers when the test wants it to. */
const CONFIG = `
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineConfig, path } from '@latchkey/server'
import {
  allowAny, apiView, basicAuthentication, knox, obtainAuthToken, personalTokens, tokenAuthentication,
} from 'latchkey'

const many = knox({ loginAuthentication: [basicAuthentication(), tokenAuthentication()] })
const personal = personalTokens()
const answer = () => ({ pid: process.pid, release: 1 })
const held = apiView({
  permissions: [allowAny],
  get: async () => {
    writeFileSync('held-' + process.pid, '')
    while (!existsSync('released')) await setTimeout(5)
    return answer()
  },
})

export default defineConfig({
  policies: [many.policy, personal.policy],
  urlpatterns: [
    path('/process/', apiView({ permissions: [allowAny], get: answer })),
    path('/held/', held),
    path('/hello/', apiView({ get: answer })),
    path('/api-token-auth/', obtainAuthToken()),
    path('/personal/', apiView({ authentication: [personal.authentication], get: answer })),
    path('/many/', apiView({ authentication: [many.authentication], get: answer })),
    path('/login/', many.login),
    path('/logout/', many.logout),
  ],
})
`

let prepared = ''
let folder = ''
const children: ChildProcess[] = []

beforeAll(() => {
  prepared = mkdtempSync(join(tmpdir(), 'latchkey-workers-'))
  folder = prepared
  writeFileSync(join(folder, 'latchkey.config.ts'), CONFIG)
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'))
  expect(latchkey(['migrate'])).toMatchObject({ status: 0, stderr: '' })
  expect(latchkey(['createuser', 'vitor', '--password-stdin'], `${PASSWORD}\n`).status).toBe(0)
})
afterAll(() => rmSync(prepared, { recursive: true }))

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-workers-'))
  cpSync(prepared, folder, { recursive: true, verbatimSymlinks: true })
})
afterEach(async () => {
  writeFileSync(join(folder, 'released'), '')
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, maxRetries: 20, retryDelay: 50 })
})

function latchkey(argv: readonly string[], input = '', more: NodeJS.ProcessEnv = {}) {
  const env = { ...cleanEnvironment(), ...more }
  return spawnSync(process.execPath, [LATCHKEY, ...argv], { cwd: folder, env, input, encoding: 'utf8' })
}

const until = <T>(condition: () => T | Promise<T>) =>
  vi.waitFor(condition, { timeout: 120_000, interval: 20 })

interface Running {
  readonly child: ChildProcess
  readonly url: string
  /** Everything that was written to stderr so far. */
  said(): string
  /** Waits for it. */
  says(text: string): Promise<void>
  /** Exit code or signal. */
  ends(): Promise<number | string>
}

async function serve(...argv: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [LATCHKEY, 'serve', ...argv], {
    cwd: folder,
    env: cleanEnvironment(),
  })
  children.push(child)
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ends = once(child, 'exit').then(([code, signal]) => code ?? signal)
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', () => {
      const [, found] = /listens on (\S+)\//.exec(stderr) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(stderr)))
  })
  return {
    child,
    url,
    said: () => stderr,
    says: (text) => until(() => expect(stderr).toContain(text)),
    ends: () => ends,
  }
}

/** How a server that cannot start ends. */
async function fails(argv: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  const options = { cwd: folder, env: cleanEnvironment() }
  return run(process.execPath, [LATCHKEY, 'serve', ...argv], options).then(
    () => expect.unreachable(),
    ({ code, stderr }) => ({ code, stderr }),
  )
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly json: { readonly pid: number; readonly release: number; readonly token: string }
}

/** One connection at a time; kept alive it is always the same one, to the same worker. */
class Connection {
  readonly #agent: Agent
  readonly #url: string

  constructor(url: string, { keepAlive } = { keepAlive: true }) {
    this.#url = url
    this.#agent = new Agent({ keepAlive, maxSockets: 1 })
    onTestFinished(() => this.close())
  }

  close(): void {
    this.#agent.destroy()
  }

  ask(path: string, authorization = '', method = 'GET'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = authorization === '' ? {} : { authorization }
      request(`${this.#url}${path}`, { agent: this.#agent, method, headers }, async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, json: text === '' ? undefined : JSON.parse(text) })
      })
        .on('error', reject)
        .end()
    })
  }
}

/** As many workers as there must be, each with a connection to it. */
async function eachWorker(url: string, count: number): Promise<Map<number, Connection>> {
  const workers = new Map<number, Connection>()
  await until(async () => {
    const connection = new Connection(url)
    const { pid } = (await connection.ask('/process/')).json
    if (workers.has(pid)) connection.close()
    else workers.set(pid, connection)
    expect(workers.size).toBe(count)
  })
  return workers
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const gone = (pids: readonly number[]) => until(() => expect(pids.filter(isAlive)).toEqual([]))
/** Waits until each of them works on a request. */
const areHeld = async (pids: Iterable<number>) => {
  for (const pid of pids) await until(() => expect(existsSync(join(folder, `held-${pid}`))).toBe(true))
}
const change = (from: string, to: string) =>
  writeFileSync(join(folder, 'latchkey.config.ts'), CONFIG.replace(from, to))
const basic = `Basic ${Buffer.from(`vitor:${PASSWORD}`).toString('base64')}`

interface Login {
  readonly status: number
  readonly token: string
}

async function login(url: string, password = PASSWORD): Promise<Login> {
  const body = new URLSearchParams({ username: 'vitor', password })
  const response = await fetch(`${url}/api-token-auth/`, { method: 'POST', body })
  const { token = '' } = (await response.json()) as { token?: string }
  // Too many wait for a hash: a busy machine says so after ten seconds.
  return response.status === 503 ? login(url, password) : { status: response.status, token }
}

describe('latchkey serve --workers', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'shares one port among processes, says so once, and stops at %s with exit code 0',
    async (signal) => {
      const { child, url, said, ends } = await serve('0', '--workers', '2')
      const pids = [...(await eachWorker(url, 2)).keys()]
      expect(pids).not.toContain(child.pid)
      child.kill(signal)
      expect(await ends()).toBe(0)
      expect(said()).toBe(`Latchkey listens on ${url}/ (Ctrl-C stops it)\nStopping.\n`)
      await gone(pids)
    },
  )

  it('is one process when there is one worker, the default', async () => {
    const { child, url } = await serve('0')
    for (let round = 0; round < 4; round += 1)
      expect((await new Connection(url).ask('/process/')).json.pid).toBe(child.pid)
  })

  it('ends as one process does when it cannot start: one line, and that exit code', async () => {
    const { url } = await serve('0', '--workers', '2')
    writeFileSync(join(folder, 'empty.sqlite3'), '')
    writeFileSync(join(folder, 'broken.config.ts'), 'export default { prot: 1 }')
    const cases: ReadonlyArray<readonly [code: number, said: string, argv: readonly string[]]> = [
      [1, 'that port is already in use', [new URL(url).host]],
      [1, 'run `latchkey migrate`', ['0', '--database', 'empty.sqlite3']],
      [1, "'prot' is not a setting", ['0', '--config', 'broken.config.ts']],
      [1, 'LATCHKEY_SECRET: is missing', ['0', '--environment', 'production']],
      [2, '--port: must be', ['65536']],
    ]
    for (const [code, said, argv] of cases) {
      const [one, several] = await Promise.all([fails(argv), fails([...argv, '--workers', '3'])])
      expect(one.code).toBe(code)
      expect(one.stderr).toContain(said)
      expect(one.stderr.trimEnd()).not.toContain('\n')
      expect(several).toEqual(one)
    }
  })

  it('makes the secret of development once', async () => {
    rmSync(join(folder, '.latchkey'), { recursive: true })
    const { url, said } = await serve('0', '--workers', '3')
    expect(said().match(/Made a new secret/g)).toHaveLength(1)
    const { token } = await login(url)
    for (const connection of (await eachWorker(url, 3)).values())
      expect((await connection.ask('/login/', `Token ${token}`, 'POST')).status).toBe(200)
    expect((await login(url)).token).toBe(token)
  })

  it('lets running requests finish when it is told to stop, and takes no new ones', async () => {
    const { child, url, said, ends } = await serve('0', '--workers', '2', ...PATIENT)
    const workers = await eachWorker(url, 2)
    const held = [...workers.values()].map((connection) => connection.ask('/held/'))
    await areHeld(workers.keys())
    const rush: Array<Promise<number | string>> = []
    const ask = () => {
      const asked = new Connection(url).ask('/process/')
      rush.push(asked.then(({ status }) => status).catch(({ code }) => code))
      return rush.at(-1)
    }
    for (let index = 0; index < 50; index += 1) ask()
    child.kill('SIGTERM')
    await until(async () => expect(await ask()).toBe('ECONNREFUSED'))
    // Answered or refused: nobody waits for a worker that takes no more.
    await Promise.all(rush)
    writeFileSync(join(folder, 'released'), '')
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200])
    expect(await ends()).toBe(0)
    expect(said()).toMatch(/\/ \(Ctrl-C stops it\)\nStopping\.\n$/)
  })

  it('ends at once at a second signal', async () => {
    const { child, url, says, ends } = await serve('0', '--workers', '2', ...PATIENT)
    const workers = await eachWorker(url, 2)
    const held = [...workers.values()].map((connection) => connection.ask('/held/'))
    const lost = Promise.allSettled(held)
    await areHeld(workers.keys())
    child.kill('SIGTERM')
    await says('Stopping.')
    child.kill('SIGTERM')
    expect(await ends()).toBe('SIGTERM')
    await gone([...workers.keys()])
    expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('ends workers that are still starting when it is told to stop', async () => {
    const { child, url, said, says, ends } = await serve('0', '--workers', '2', ...PATIENT)
    const workers = await eachWorker(url, 2)
    const [first = 0] = workers.keys()
    process.kill(first, 'SIGKILL')
    await says(`Worker ${first} ended`)
    child.kill('SIGTERM')
    expect(await ends()).toBe(0)
    expect(said()).toMatch(/takes its place\.\nStopping\.\n$/)
    await gone([...workers.keys()])
  })

  it('reloads under load, twice, and no request is refused or lost', async () => {
    const { child, url, said } = await serve('0', '--workers', '2', ...PATIENT)
    const failures: unknown[] = []
    let answered = 0
    let isOver = false
    const client = async (connect: () => Connection) => {
      while (!isOver) {
        try {
          expect((await connect().ask('/process/')).status).toBe(200)
          answered += 1
        } catch (error) {
          failures.push(error)
        }
      }
    }
    const load = Array.from({ length: 4 }, () => {
      const kept = new Connection(url)
      return [client(() => kept), client(() => new Connection(url, { keepAlive: false }))]
    }).flat()
    for (let release = 2; release <= 3; release += 1) {
      const before = [...(await eachWorker(url, 2)).keys()]
      change('release: 1', `release: ${release}`)
      child.kill('SIGHUP')
      await until(() => expect(said().match(/Reloaded\./g)).toHaveLength(release - 1))
      expect((await new Connection(url).ask('/process/')).json.release).toBe(release)
      const seen = answered
      await gone(before)
      await until(() => expect(answered).toBeGreaterThan(seen + 100))
    }
    isOver = true
    await Promise.all(load)
    expect(failures).toEqual([])
    expect(said().match(/listens on/g)).toHaveLength(1)
  })

  it('keeps an idle connection through a reload until its caller has been told', async () => {
    const { child, url } = await serve('0', '--workers', '2')
    const workers = await eachWorker(url, 2)
    change('release: 1', 'release: 2')
    child.kill('SIGHUP')
    // Between two questions it is idle; were it cut then, another process would answer on the next one.
    const told = [...workers].map(async ([pid, connection]) => {
      await until(async () => {
        const last = await connection.ask('/process/')
        expect(last).toMatchObject({ json: { pid, release: 1 }, headers: { connection: 'close' } })
      })
      expect((await connection.ask('/process/')).json.release).toBe(2)
    })
    await Promise.all(told)
    await gone([...workers.keys()])
  })

  it('reads settings again at a reload; those that cannot serve change nothing', async () => {
    writeFileSync(join(folder, 'latchkey.config.ts'), CONFIG.replace('policies:', 'workers: 2, policies:'))
    const { child, url, said, says } = await serve('0')
    const before = [...(await eachWorker(url, 2)).keys()]
    change('policies:', 'workers: 2, polices:')
    child.kill('SIGHUP')
    await says('Not reloaded: the workers before it serve on.')
    expect(said()).toContain(
      "CommandError: latchkey.config.ts: 'polices' is not a setting; did you mean 'policies'?",
    )
    expect([...(await eachWorker(url, 2)).keys()].toSorted()).toEqual(before.toSorted())
    change('policies:', 'workers: 3, policies:')
    child.kill('SIGHUP')
    await says('\nReloaded.')
    await gone(before)
    await eachWorker(url, 3)
  })

  it('replaces a worker that dies, later each time when the next one dies at once', async () => {
    const { url, said, says } = await serve('0', '--workers', '2')
    const [first = 0, second = 0] = (await eachWorker(url, 2)).keys()
    process.kill(first, 'SIGKILL')
    await says(`Worker ${first} ended (SIGKILL); another one takes its place.`)
    await eachWorker(url, 2)
    change('export default', 'throw new Error("on fire")\nexport default')
    process.kill(second, 'SIGKILL')
    await says('ended (exit code 1); another one takes its place in 1 s.')
    expect(said()).toContain('another one takes its place in 0.5 s.')
    expect(said()).toContain('CommandError: latchkey.config.ts: does not load: on fire')
    expect((await new Connection(url).ask('/process/')).status).toBe(200)
    change('', '')
    await eachWorker(url, 2)
  })

  it('lets no caller wait whose connection was on its way to a worker that died', async () => {
    const { child, url, ends } = await serve('0', '--workers', '2')
    const [pid = 0] = (await eachWorker(url, 2)).keys()
    process.kill(pid, 'SIGSTOP')
    let answered = 0
    const asked = Array.from({ length: 6 }, () =>
      new Connection(url).ask('/process/').finally(() => {
        answered += 1
      }),
    )
    const settled = Promise.allSettled(asked)
    await until(() => expect(answered).toBe(5))
    process.kill(pid, 'SIGKILL')
    expect((await settled).filter(({ status }) => status === 'rejected')).toHaveLength(1)
    child.kill('SIGTERM')
    expect(await ends()).toBe(0)
  })

  it('goes on when all workers have died at once', async () => {
    const { url, said } = await serve('0', '--workers', '2')
    for (const pid of (await eachWorker(url, 2)).keys()) process.kill(pid, 'SIGKILL')
    // With the last worker the port was given back: any free one is another one, and that is said.
    const next = await until(() => {
      const [, found] = said().match(/(?<=listens on )\S+(?=\/ )/g) ?? []
      expect(found).toBeDefined()
      return found!
    })
    await eachWorker(next, 2)
  })

  it('leaves no worker behind when the primary is killed, and answers what was accepted', async () => {
    const { child, url, ends } = await serve('0', '--workers', '2', ...PATIENT)
    const workers = await eachWorker(url, 2)
    const held = [...workers.values()].map((connection) => connection.ask('/held/'))
    await areHeld(workers.keys())
    child.kill('SIGKILL')
    expect(await ends()).toBe('SIGKILL')
    // The port is free at once.
    const next = await serve(new URL(url).host, '--workers', '2')
    expect(next.url).toBe(url)
    writeFileSync(join(folder, 'released'), '')
    const answers = await Promise.all(held)
    expect(answers.map(({ status, json }) => [status, json.pid])).toEqual(
      [...workers.keys()].map((pid) => [200, pid]),
    )
    await gone([...workers.keys()])
  })

  it('writes the uses of tokens that its workers have counted when they stop, drain or lose the primary', async () => {
    const { stdout } = latchkey(['token', 'create', 'vitor', '--policy', 'personal', '--name', 'script'])
    const ends = [
      ['drain', 'SIGHUP'],
      ['stop', 'SIGTERM'],
      ['orphan', 'SIGKILL'],
    ] as const
    for (const [index, [, signal]] of ends.entries()) {
      const { child, url } = await serve('0', '--workers', '2')
      const workers = await eachWorker(url, 2)
      for (const connection of workers.values()) {
        for (let use = 0; use < 5; use += 1)
          expect((await connection.ask('/personal/', `Bearer ${stdout.trim()}`)).status).toBe(200)
        connection.close()
      }
      child.kill(signal)
      await gone([...workers.keys()])
      const [token] = JSON.parse(latchkey(['token', 'list', '--policy', 'personal', '--json']).stdout)
      expect(token.useCount).toBe((index + 1) * 10)
    }
  })
})

describe('several workers on one SQLite file', () => {
  it('refuse, with the next request, a token that one of them revoked', async () => {
    const { url } = await serve('0', '--workers', '3')
    const connections = [...(await eachWorker(url, 3)).values()]
    const { token } = await login(url)
    for (let round = 0; round < 60; round += 1) {
      const revoking = connections[round % 3]!
      const issued = await connections[(round + 1) % 3]!.ask('/login/', `Token ${token}`, 'POST')
      const mine = `Token ${issued.json.token}`
      const statuses = () =>
        Promise.all(connections.map(async (each) => (await each.ask('/many/', mine)).status))
      expect(await statuses()).toEqual([200, 200, 200])
      expect((await revoking.ask('/logout/', mine, 'POST')).status).toBe(204)
      expect(await statuses()).toEqual([401, 401, 401])
    }
  })

  it('give 100 parallel logins one and the same token', async () => {
    const { url } = await serve('0', '--workers', '2')
    const logins = await Promise.all(Array.from({ length: 100 }, () => login(url)))
    expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(logins.map(({ token }) => token)).size).toBe(1)
    expect(JSON.parse(latchkey(['token', 'list', '--json']).stdout)).toHaveLength(1)
  })

  it('count guesses together, and never let in more than the rate', async () => {
    const { url } = await serve('0', '--workers', '2', '--login-rate', '5/hour')
    const guesses = await Promise.all(Array.from({ length: 40 }, (_, index) => login(url, `guess ${index}`)))
    expect(guesses.filter(({ status }) => status === 400)).toHaveLength(5)
    expect(guesses.filter(({ status }) => status === 429)).toHaveLength(35)
  })

  it('lose no token that a caller has when they are killed in the middle of logins', async () => {
    const { url } = await serve('0', '--workers', '2')
    const acknowledged: string[] = []
    let isOver = false
    const clients = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        const login = {
          method: 'POST',
          headers: { authorization: basic },
          signal: AbortSignal.timeout(30_000),
        }
        const answer = await fetch(`${url}/login/`, login).catch(() => undefined)
        const body = answer?.status === 200 ? await answer.json().catch(() => undefined) : undefined
        if (body !== undefined) acknowledged.push((body as { token: string }).token)
      }
    })
    for (let round = 1; round <= 4; round += 1) {
      await until(() => expect(acknowledged.length).toBeGreaterThan(round * 8))
      const [pid = 0] = (await eachWorker(url, 2)).keys()
      process.kill(pid, 'SIGKILL')
    }
    isOver = true
    await Promise.all(clients)
    for (const connection of (await eachWorker(url, 2)).values())
      for (const token of acknowledged)
        expect((await connection.ask('/many/', `Token ${token}`)).status).toBe(200)
  })
})

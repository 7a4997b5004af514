/** Proves the promise of `npm start`: a new database, a server that answers the printed lines, and a second run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from './ensure-installed.mjs'
import { freePort } from './lib/free-port.js'

let data: string
const running = new Set<ChildProcess>()

beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'latchkey-start-'))
})

afterAll(() => {
  for (const child of running) child.kill('SIGTERM')
  rmSync(data, { recursive: true, force: true })
})

/** Starts the demo; `text()` is what it has printed so far. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(ROOT, 'tools/start.mjs'), '--data', data, ...args], {
    env: { ...process.env, PORT: '', LATCHKEY_SECRET: 'too short', NODE_ENV: 'production', ...env },
  })
  running.add(child)
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (text += chunk))
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  /** Resolves once the help is printed; rejects when the demo ends before. */
  const ready = () =>
    new Promise<void>((resolve, reject) => {
      child.stdout.on('data', () => text.includes('Ctrl-C ends the server') && resolve())
      void exited.then((code) => reject(new Error(`ended with ${code}: ${text}`)))
    })
  return { child, exited, ready, text: () => text }
}

/** Pastes a block of the printed lines into a shell, as a reader would. */
async function paste(lines: string): Promise<string> {
  const shell = spawn('bash', ['-c', lines], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  shell.stdout.on('data', (chunk) => (text += chunk))
  await once(shell, 'close')
  return text
}

test('a fresh start serves the tutorial, its printed lines work, and a second start finds everything', async () => {
  const port = await freePort()
  const first = start(['--port', String(port)])
  await first.ready()
  expect(first.text()).toContain('Created the demo user vitor.')
  const [, none = '', exchange = '', use = ''] = first.text().split(/^ {2}# \d\. .*$/m)
  expect(await paste(none)).toMatch(/^HTTP\/1\.1 401 [\s\S]*www-authenticate: Token/i)
  const pasted = await paste(`${exchange}\n${use.split('\n\n')[0]}`)
  expect(pasted).toMatch(/^\{"token":"[0-9a-f]{40}"\}HTTP\/1\.1 200 OK/)
  expect(pasted).toContain('{"message":"Hello, World!"}')
  const token = /"token":"(\w+)"/.exec(pasted)?.[1] ?? ''

  const taken = start(['--port', String(port)])
  expect(await taken.exited).toBe(1)
  expect(taken.text()).toBe(`Port ${port} is taken; choose another: npm start -- --port ${port + 1}\n`)

  first.child.kill('SIGINT')
  expect(await first.exited).toBe(0)
  await expect(fetch(`http://127.0.0.1:${port}/hello/`)).rejects.toThrow()

  const second = start([], { PORT: String(port) })
  await second.ready()
  expect(second.text()).toContain('The demo user vitor is there.')
  const again = await fetch(`http://127.0.0.1:${port}/hello/`, {
    headers: { Authorization: `Token ${token}` },
  })
  expect(again.status).toBe(200)
  second.child.kill('SIGTERM')
  expect(await second.exited).toBe(0)
})

test.each([
  [['--port', 'many'], '--port: must be a number from 1 to 65535\n'],
  [['--nonsense'], /^Unknown option '--nonsense'.*\nUsage: npm start/],
])('refuses %j with one clear line', async (args, message) => {
  const wrong = start(args)
  expect(await wrong.exited).toBe(1)
  expect(wrong.text()).toMatch(message)
})

/** Starts the child process of the suite and sends it the requests of the plan. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { HostileHost, Order } from './hostile-hosts.js'

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const HERE = fileURLToPath(new URL('.', import.meta.url))

export interface Answer {
  readonly status: number
  readonly text: string
}

export interface HostProcess {
  ask(
    path: string,
    how?: { readonly method?: string; readonly headers?: OutgoingHttpHeaders },
  ): Promise<Answer>
  /** What the process wrote to standard error so far. */
  readonly errors: () => string
  stop(): Promise<void>
}

/** A folder below `node_modules`, where the compiled child finds the packages; `dispose` removes it. */
export async function buildChild() {
  const cache = join(ROOT, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'fail-closed-'))
  await build({
    entryPoints: [join(HERE, 'child/main.ts')],
    outfile: join(folder, 'main.mjs'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
  })
  const copy = join(folder, 'copy')
  for (const part of ['package.json', 'dist']) {
    cpSync(join(ROOT, 'packages/latchkey', part), join(copy, part), { recursive: true })
  }
  return { program: join(folder, 'main.mjs'), copy, dispose: () => rmSync(folder, { recursive: true }) }
}

export type BuiltChild = Awaited<ReturnType<typeof buildChild>>

/** Resolves when the process serves. Rejects with its standard error when it ends before. */
export async function startHost(
  { program, copy }: BuiltChild,
  host: HostileHost,
  order: Order,
): Promise<HostProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-fail-closed-'))
  const flags = ['--no-warnings', '--max-old-space-size=256']
  // It ends itself when standard input does, so that none stays behind when the test is stopped.
  const child = spawn(process.execPath, [...flags, program, host.name, order, folder, copy], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const port = await portOf(child, ended, () => errors)
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    return {
      ask: (path, { method = 'GET', headers = {} } = {}) => ask({ agent, port, path, method, headers }),
      errors: () => errors,
      stop: async () => {
        agent.destroy()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const START_MS = 30_000

function portOf(child: ChildProcess, ended: Promise<void>, errors: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text
      const port = /port (\d+)/.exec(output)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    const timer = setTimeout(() => reject(new Error('the app did not start: it waits for ever')), START_MS)
    void ended.then(() => {
      clearTimeout(timer)
      reject(new Error(`the app did not start: ${errors()}`))
    })
  })
}

const ANSWER_MS = 5_000

interface Question {
  readonly agent: Agent
  readonly port: number
  readonly path: string
  readonly method: string
  readonly headers: OutgoingHttpHeaders
}

function ask(question: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', timeout: ANSWER_MS, ...question }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS} ms`)))
    request.on('error', reject)
    request.end()
  })
}

/** The threads of a process, seen from outside: built, and started with the flags that programs have. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const FOLDER = fileURLToPath(new URL('../..', import.meta.url))

/** What a program prints that is made of this text and ends by itself: one that does not is killed, and fails. */
async function program(text: string, ...flags: string[]): Promise<unknown> {
  const words = [...flags, '--input-type=module', '--eval', `${PRELUDE}\n${text}`]
  const { stdout } = await run(process.execPath, words, { cwd: FOLDER, timeout: 30_000 })
  return JSON.parse(stdout)
}

const PRELUDE = `
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { argon2id } from 'latchkey'
const hasher = argon2id({ memoryKib: 64, passes: 1 })
const print = (value) => console.log(JSON.stringify(value))
/** Field 19 of a thread's line is its niceness; the name before it may hold anything but a closing parenthesis. */
const nicenesses = () => readdirSync('/proc/self/task').map((id) =>
  Number(readFileSync('/proc/self/task/' + id + '/stat', 'utf8').split(') ')[1].split(' ')[16]))
`

describe('a process', () => {
  test('that hashed ends by itself, and was not ended before it had its hash', async () => {
    expect(await program("print(await hasher.verify('secret', await hasher.hash('secret')))")).toBe(true)
  })

  test('keeps its priority; on Linux the thread that hashes stands back', async () => {
    const text = `
      const before = getPriority()
      await hasher.hash('secret')
      const behind = process.platform === 'linux' ? Math.max(...nicenesses()) : 5
      print({ changed: getPriority() - before, behind })`
    expect(await program(text)).toEqual({ changed: 0, behind: 5 })
  })

  test('that may have no threads hashes all the same', async () => {
    const model = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission'
    const text = `
      const { permission } = await import('node:process')
      print({ worker: permission.has('worker'), right: await hasher.verify('secret', await hasher.hash('secret')) })`
    expect(await program(text, model, '--allow-fs-read=*', '--allow-addons')).toEqual({
      worker: false,
      right: true,
    })
  })
})

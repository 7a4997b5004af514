/** Very many distinct credentials: what the library keeps of those that are refused is bounded. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('../memory-child.mjs', import.meta.url))

/**
 * Starts the measurement in a process of its own, beside the other attacks.
 * @param {string} folder
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export function attackMemory(folder) {
  const own = join(folder, 'memory')
  mkdirSync(own)
  const child = spawn(process.execPath, ['--expose-gc', CHILD, own], { stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ ok: code === 0, output }))
  })
}

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cleanEnvironment } from './transcript.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

describe('without the package ioredis', () => {
  it('everything works but the setting, which says what to install', () => {
    const installed = mkdtempSync(join(tmpdir(), 'latchkey-redis-none-'))
    onTestFinished(() => rmSync(installed, { recursive: true }))
    const server = join(installed, 'node_modules/@latchkey/server')
    for (const part of ['bin', 'dist', 'package.json'])
      cpSync(join(ROOT, 'packages/server', part), join(server, part), { recursive: true })
    const { dependencies } = JSON.parse(readFileSync(join(server, 'package.json'), 'utf8')) as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    for (const dependency of Object.keys(dependencies)) {
      const nested = join(ROOT, 'packages/server/node_modules', dependency)
      const target = join(installed, 'node_modules', dependency)
      mkdirSync(join(target, '..'), { recursive: true })
      symlinkSync(existsSync(nested) ? nested : join(ROOT, 'node_modules', dependency), target)
    }
    const run = (argv: readonly string[], more: NodeJS.ProcessEnv = {}) =>
      spawnSync(process.execPath, [join(server, 'bin/latchkey.js'), ...argv], {
        cwd: installed,
        env: { ...cleanEnvironment(), ...more },
        encoding: 'utf8',
        timeout: 30_000,
      })
    expect(run(['migrate']).status).toBe(0)
    expect(run(['check'])).toMatchObject({ status: 0, stderr: '' })
    const advice = 'LATCHKEY_REDIS: needs the package ioredis, which is not installed: `npm install ioredis`'
    const more = { LATCHKEY_REDIS: 'redis://127.0.0.1:1' }
    for (const argv of [
      ['serve', '0'],
      ['user', 'list'],
    ])
      expect(run(argv, more)).toMatchObject({ status: 1, stdout: '', stderr: `CommandError: ${advice}\n` })
    expect(run(['check'], more)).toMatchObject({ status: 1, stderr: '' })
    expect(run(['check'], more).stdout).toContain(`latchkey.E008: ${advice}\n`)
  })
})

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const PACKAGES = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'latchkey-project-'))
const project = join(folder, 'my-api')

function run(command: string, argv: readonly string[], cwd = project) {
  const { status, stdout, stderr, error } = spawnSync(command, argv, {
    cwd,
    encoding: 'utf8',
    env: cleanEnvironment(),
  })
  if (error) throw error
  return { status, output: stdout + stderr }
}

/** As npm would install it from a registry: the three packages packed, and nothing of this repository in reach. */
beforeAll(() => {
  const tarballs: Record<string, string> = {}
  for (const name of ['latchkey', 'sql', 'server']) {
    run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], join(PACKAGES, name))
    const scoped = name === 'latchkey' ? name : `@latchkey/${name}`
    const prefix = name === 'latchkey' ? /^latchkey-\d/ : new RegExp(`^latchkey-${name}-\\d`)
    tarballs[scoped] = `file:${join(folder, readdirSync(folder).find((file) => prefix.test(file)) ?? '')}`
  }
  run(process.execPath, [LATCHKEY, 'startproject', 'my-api'], folder)
  const manifest = join(project, 'package.json')
  const contents = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies: Record<string, string> }
  expect(Object.keys(contents.dependencies).sort()).toEqual(Object.keys(tarballs).sort())
  writeFileSync(manifest, JSON.stringify({ ...contents, dependencies: tarballs }))
  const installed = run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'])
  expect(installed.status, installed.output).toBe(0)
  // The driver's own install script would compile it for a minute where no binary can be fetched: take ours.
  const driver = dirname(
    createRequire(join(PACKAGES, 'sql/package.json')).resolve('better-sqlite3/package.json'),
  )
  cpSync(join(driver, 'build/Release'), join(project, 'node_modules/better-sqlite3/build/Release'), {
    recursive: true,
  })
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true }))

describe('a new project', () => {
  it('passes its own tests', () => {
    const { status, output } = run('npm', ['test'])
    expect(status, output).toBe(0)
    expect(output).toMatch(/(# |ℹ )pass 4\n(# |ℹ )fail 0/)
  })

  it('passes strict type checks', () => {
    const { status, output } = run('npm', ['run', 'typecheck'])
    expect(status, output).toBe(0)
  })

  it('has a command line that reads its settings and its urls', () => {
    const latchkey = join(project, 'node_modules/.bin/latchkey')
    expect(run(latchkey, ['migrate'])).toEqual({
      status: 0,
      output:
        'Applied 0001-initial\nApplied 0002-jwts\nApplied 0003-personal-tokens\nApplied 0004-signing-keys\nApplied 0005-counter-counts\nApplied 0006-sealing-keys\nApplied 0007-access-versions\nApplied 0008-login-addresses\nApplied 0009-trigger-settings\n',
    })
    expect(run(latchkey, ['check'])).toEqual({ status: 0, output: 'System check identified no issues.\n' })
    expect(run(latchkey, ['settings']).output).toMatch(
      /^database +\S+my-api\/latchkey\.sqlite3 +latchkey\.config\.ts$/m,
    )
  })
})

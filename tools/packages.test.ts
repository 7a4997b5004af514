/** The Debian packages that the tests need: each has a reason and a use, and what is installed is left alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './ensure-installed.mjs'
import { run } from './lib/run.mjs'

const LINE = /^(?<name>[a-z0-9][a-z0-9+.-]+) # (?<programs>[\w-]+(?:, [\w-]+)*): (?<reason>\S.{20,})$/

const lines = readFileSync(join(ROOT, '.ci/packages'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** All code that starts services for tests. */
function testSources(): string {
  const folders = ['packages/latchkey', 'packages/sql', 'packages/server', 'torture', 'tools/lib']
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.(ts|mjs)$/.test(path) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(path))
        .filter((path) => !folder.startsWith('packages') || /^test[\\/]|\.test\.ts$/.test(path))
        .map((path) => readFileSync(join(ROOT, folder, path), 'utf8')),
    )
    .join('\n')
    .toLowerCase()
}

test('every listed package says which programs tests start, and why', () => {
  expect(lines.length).toBeGreaterThan(0)
  for (const line of lines) expect(line).toMatch(LINE)
})

test('no package is listed whose programs no test starts', () => {
  const sources = testSources()
  for (const line of lines) {
    const { name, programs = '' } = LINE.exec(line)?.groups ?? {}
    expect({ name, used: programs.split(', ').some((program) => sources.includes(program)) }).toEqual({
      name,
      used: true,
    })
  }
})

/** Runs the installer with a `bin` folder of its own in front of the path. */
async function install(list: string, programs: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-packages-'))
  try {
    writeFileSync(join(folder, 'packages'), list)
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    return await run('bash', [join(ROOT, '.ci/install-packages'), join(folder, 'packages')], {
      env,
      capture: true,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const LIST = '# comment\nalpha # alpha: a reason\nbeta # beta: a reason\n'
const ONLY_ALPHA = '[ "$3" = alpha ] && printf installed'

test('nothing is done where all packages are installed', async () => {
  const programs = { 'dpkg-query': 'printf installed', 'apt-get': 'echo "apt-get $*"' }
  expect(await install(LIST, programs)).toEqual({ code: 0, output: '' })
})

test('root installs the missing packages after one update', async () => {
  const programs = { 'dpkg-query': ONLY_ALPHA, 'apt-get': 'echo "apt-get $*"', id: 'echo 0' }
  const { code, output } = await install(LIST, programs)
  expect(code).toBe(0)
  expect(output.split('\n').filter((line) => line !== '')).toEqual([
    'Installing beta',
    'apt-get update -qq',
    'apt-get install -y -qq --no-install-recommends beta',
  ])
})

test('another user reads which command to run as root', async () => {
  const programs = { 'dpkg-query': 'exit 1', 'apt-get': 'echo "apt-get $*"', id: 'echo 1000' }
  expect(await install(LIST, programs)).toEqual({
    code: 0,
    output: 'Not root, so not installed; run as root: apt-get install alpha beta\n',
  })
})

/** Prevents publishing what does not install, load, type-check or run: packs each package and lives off the tarballs. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { ROOT } from './ensure-installed.mjs'
import { importFaults, staleFiles, tarballFaults } from './lib/pack.mjs'
import { checkHosts } from './lib/pack-hosts.mjs'
import { npmCommand, run } from './lib/run.mjs'

const PACKAGES = [
  { name: 'latchkey', folder: 'packages/latchkey' },
  { name: '@latchkey/sql', folder: 'packages/sql' },
  { name: '@latchkey/server', folder: 'packages/server' },
]
const QUIET = ['--no-audit', '--no-fund', '--loglevel=error']
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
/** Strictest sensible consumer: their settings, none of ours. */
const STRICT = ['--module', 'NodeNext', '--target', 'ES2023', '--strict', '--exactOptionalPropertyTypes']

const work = mkdtempSync(join(tmpdir(), 'latchkey-pack-'))
const faults = []
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/** Runs a step; its output is shown only when it fails. */
async function step(name, command, args, options = {}) {
  const { code, output } = await run(command, args, {
    cwd: work,
    capture: true,
    timeoutMs: 240_000,
    ...options,
  })
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`)
  if (code !== 0) faults.push(`${name}: exit code ${code}\n${output.trim().replace(/^/gm, '    ')}`)
  return code === 0 ? output : null
}

const node = (name, args, options) => step(name, process.execPath, args, options)

function npm(name, args, options) {
  const { command, args: before } = npmCommand()
  return step(name, command, [...before, ...args], options)
}

async function pack({ name, folder }) {
  const path = join(ROOT, folder)
  const output = await npm(
    `${name}: npm pack`,
    ['pack', '--json', '--ignore-scripts', '--pack-destination', work],
    {
      cwd: path,
    },
  )
  if (output === null) return null
  const [packed] = Object.values(JSON.parse(output.slice(output.search(/^[[{]/m))))
  const files = packed.files.map((file) => file.path)
  const own = [...tarballFaults(files, readJson(join(path, 'package.json'))), ...staleFiles(path)]
  console.log(`${own.length ? 'FAIL' : 'ok  '} ${name}: ${files.length} files`)
  faults.push(...own.map((fault) => `${name}: ${fault}`))
  const tarball = join(work, basename(packed.filename))
  await node(`${name}: publint`, [join(ROOT, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict'])
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  await node(`${name}: types resolve`, [
    attw,
    tarball,
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--no-emoji',
  ])
  return [name, `file:${tarball}`]
}

/** Installs a folder whose package.json is written; the native part is the one that is compiled already. */
async function install(name, folder) {
  const args = ['install', '--prefer-offline', '--ignore-scripts', ...QUIET]
  if ((await npm(`${name}: npm install`, args, { cwd: folder })) === null) return false
  const built = join(ROOT, 'node_modules/better-sqlite3/build')
  const target = join(folder, 'node_modules/better-sqlite3')
  if (existsSync(target)) cpSync(built, join(target, 'build'), { recursive: true })
  return true
}

async function checkConsumer(tarballs) {
  const folder = join(work, 'consumer')
  mkdirSync(folder)
  const types = readJson(join(ROOT, 'node_modules/@types/node/package.json')).version
  writeJson(join(folder, 'package.json'), {
    private: true,
    type: 'module',
    dependencies: tarballs,
    devDependencies: { '@types/node': types },
  })
  cpSync(join(ROOT, 'tools/lib/consumer.ts'), join(folder, 'consumer.ts'))
  if (!(await install('empty folder', folder))) return
  for (const { name } of PACKAGES) {
    const own = await importFaults(folder, name)
    console.log(`${own.length ? 'FAIL' : 'ok  '} ${name}: every subpath loads`)
    faults.push(...own)
  }
  const compiled = await node(
    'a consumer compiles, strict, library types checked',
    [TSC, ...STRICT, 'consumer.ts'],
    {
      cwd: folder,
    },
  )
  if (compiled !== null)
    await node('a consumer issues, verifies and revokes', ['consumer.js'], { cwd: folder })
  await npm('npx latchkey --help', ['exec', '--offline', '--', 'latchkey', '--help'], { cwd: folder })
  await checkHosts(folder, node)
  await checkNewProject(folder, tarballs)
}

/** What `latchkey startproject` writes installs and passes its own tests. */
async function checkNewProject(folder, tarballs) {
  const started = ['exec', '--offline', '--', 'latchkey', 'startproject', 'demo']
  if ((await npm('latchkey startproject demo', started, { cwd: folder })) === null) return
  const demo = join(work, 'demo')
  cpSync(join(folder, 'demo'), demo, { recursive: true })
  const manifest = readJson(join(demo, 'package.json'))
  for (const [name, tarball] of Object.entries(tarballs)) {
    for (const group of ['dependencies', 'devDependencies']) {
      if (manifest[group]?.[name]) manifest[group][name] = tarball
    }
  }
  writeJson(join(demo, 'package.json'), { ...manifest, overrides: tarballs })
  if (!(await install('the new project', demo))) return
  await npm('the new project: npm test', ['test'], { cwd: demo })
}

try {
  const packed = []
  for (const each of PACKAGES) packed.push(await pack(each))
  if (packed.every((entry) => entry !== null)) await checkConsumer(Object.fromEntries(packed))
} finally {
  rmSync(work, { recursive: true, force: true })
}
for (const fault of faults) console.error(`\n${fault}`)
console.log(faults.length ? `\n${faults.length} faults in the packed packages.` : 'The packed packages work.')
process.exitCode = faults.length ? 1 : 0

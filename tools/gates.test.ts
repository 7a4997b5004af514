/** Proves that each gate bites: a small repository passes, and fails for the fault that is planted in it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { classIdentityFaults } from './check-class-identity.mjs'
import { docFaults } from './check-docs.mjs'
import { installReason, nodeFault, ROOT } from './ensure-installed.mjs'
import { referencePages } from './generate-reference.mjs'
import { conformanceCounts, lastLine, vitestCounts } from './lib/counts.mjs'
import { importFaults, staleFiles, tarballFaults } from './lib/pack.mjs'
import { run } from './lib/run.mjs'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'latchkey-gates-'))
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'), 'junction')
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Writes files by their paths below the small repository. */
function plant(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const tool = (path: string, ...args: string[]) =>
  run(process.execPath, [join(ROOT, 'node_modules', path), ...args], { cwd: root, capture: true })

describe('layers', () => {
  const core = 'packages/latchkey/src'
  const layers = () =>
    tool(
      'dependency-cruiser/bin/dependency-cruise.mjs',
      '--config',
      join(ROOT, 'tools/layers.cjs'),
      'packages',
    )

  beforeEach(() => {
    plant({
      [`${core}/errors.ts`]: 'export const ERRORS = 1\n',
      [`${core}/tokens/token.ts`]:
        "import { ERRORS } from '../errors.js'\nexport type Token = typeof ERRORS\n",
      [`${core}/guard.ts`]: "export type { Token } from './tokens/token.js'\n",
      [`${core}/passwords/argon2id.ts`]: "export const peer = () => import('@node-rs/argon2')\n",
      [`${core}/adapters/express.ts`]: "export type { Request } from 'express'\n",
      [`${core}/guard.test.ts`]: "import 'vitest'\nimport './adapters/express.js'\n",
      'packages/sql/src/index.ts': "export { Kysely } from 'kysely'\n",
    })
  })

  test('pass when every import runs downward', async () => {
    expect(await layers()).toMatchObject({ code: 0 })
  })

  test.each([
    [
      'an upward import',
      `${core}/errors.ts`,
      "export type { Token } from './tokens/token.js'",
      'upward-from-errors',
    ],
    [
      'an import beside',
      `${core}/permissions/a.ts`,
      "export * from '../authenticators/b.js'",
      'upward-from-permissions',
    ],
    ['a circle of types', `${core}/tokens/token.ts`, "export type { Token } from './list.js'", 'no-circles'],
    [
      'a place without a row',
      `${core}/helpers/text.ts`,
      "export * from '../errors.js'",
      'folder-without-a-layer',
    ],
    ['a dependency', `${core}/guard.ts`, "export * from 'kysely'", 'library-types-of-frameworks-only'],
    [
      'a framework at run time',
      `${core}/guard.ts`,
      "export { default } from 'express'",
      'library-without-dependencies',
    ],
    ['an eager peer', `${core}/guard.ts`, "export { hash } from '@node-rs/argon2'", 'optional-peers-lazily'],
    [
      'a stray import of sql',
      'packages/sql/src/index.ts',
      "export { Hono } from 'hono'",
      'dependencies-of-sql',
    ],
    ['a missing file', `${core}/guard.ts`, "export * from './nowhere.js'", 'resolvable'],
  ])('refuse %s', async (_what, path, text, rule) => {
    plant({
      [`${core}/authenticators/b.ts`]: 'export const b = 1\n',
      [`${core}/tokens/list.ts`]: "export type { Token } from './token.js'\n",
      [path]: `${text}\n`,
    })
    const { code, output } = await layers()
    expect(output).toContain(`error ${rule}: ${dirname(path)}/`)
    expect(code).not.toBe(0)
  })
})

describe('class identity', () => {
  const path = 'packages/latchkey/src/guard.ts'
  const faultsOf = (text: string, allowed = {}) => classIdentityFaults({ [path]: text }, allowed)

  test.each([
    'if (step instanceof Promise) wait(step)',
    'Identity.prototype.isPrototypeOf(step)',
    'step.constructor === Promise',
    'Promise[Symbol.hasInstance](step)',
  ])('is refused: %s', (text) => {
    expect(faultsOf(`\n${text}\n`)).toEqual([
      expect.stringMatching(/^packages\/latchkey\/src\/guard\.ts:2: /),
    ])
  })

  test('is nothing that a comment, a text or a type mentions', () => {
    expect(
      faultsOf("// a instanceof B\nconst text = 'a instanceof B'\nclass A { constructor() {} }\n"),
    ).toEqual([])
  })

  test('is allowed by file and reason, as long as the file needs it', () => {
    const text = 'export const isOwn = (value: unknown) => value instanceof Own\n'
    expect(faultsOf(text, { [path]: 'a private class of this module' })).toEqual([])
    expect(faultsOf(text, { [path]: ' ' })).toHaveLength(1)
    expect(faultsOf('export {}', { [path]: 'a private class' })).toHaveLength(1)
    expect(faultsOf(text, { [path]: 'a private class', 'gone.ts': 'a private class' })).toHaveLength(1)
  })
})

describe('lint, types and unused', () => {
  beforeEach(() => {
    for (const file of [
      'biome.json',
      '.gitignore',
      'tsconfig.base.json',
      'tsconfig.check.json',
      'knip.json',
    ]) {
      cpSync(join(ROOT, file), join(root, file))
    }
    for (const file of [
      'package.json',
      'packages/latchkey/package.json',
      'packages/latchkey/tsconfig.json',
    ]) {
      cpSync(join(ROOT, file), join(root, file))
    }
    plant({ 'packages/latchkey/src/index.ts': "export const answer: number = 'answer'.length\n" })
  })

  const gates = {
    lint: () => tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'),
    types: () => tool('typescript/bin/tsc', '-p', 'tsconfig.check.json'),
    unused: () => tool('knip/bin/knip.js', '--include', 'files', '--workspace', 'packages/latchkey'),
  }

  test.each(['lint', 'types', 'unused'] as const)('%s passes over a clean file', async (name) => {
    expect(await gates[name]()).toMatchObject({ code: 0 })
  })

  test.each([
    ['lint', 'any', 'export const answer: any = 1\n', 'noExplicitAny'],
    ['lint', 'a default export', 'export default 1\n', 'noDefaultExport'],
    ['lint', 'a warning', 'function unused() {}\nexport const answer = 1\n', 'noUnusedVariables'],
    ['lint', 'another format', 'export const answer = 1;\n', 'format'],
    ['types', 'a wrong type', "export const answer: number = 'one'\n", 'TS2322'],
    ['types', 'an unchecked index', 'export const answer: number = [1][0]\n', 'TS2322'],
    ['types', 'an enum', 'export enum Answer {\n  yes,\n}\n', 'TS1294'],
  ] as const)('%s refuses %s', async (name, _what, text, message) => {
    plant({ 'packages/latchkey/src/index.ts': text })
    const { code, output } = await gates[name]()
    expect(output).toContain(message)
    expect(code).not.toBe(0)
  })

  test('unused refuses a file that nothing imports', async () => {
    plant({ 'packages/latchkey/src/orphan.ts': 'export const orphan = 1\n' })
    const { code, output } = await gates.unused()
    expect(output).toContain('packages/latchkey/src/orphan.ts')
    expect(code).not.toBe(0)
  })
})

describe('docs', () => {
  const HELP = {
    '': 'Usage: latchkey [options] [command]\n\nTokens.\n\nCommands:\n  settings  show\n  serve|runserver [options]  serve\n',
    settings: 'Usage: latchkey settings\n\nshow\n',
    serve: 'Usage: latchkey serve|runserver [options]\n\nserve\n\nSettings:\n  --port <number>  port\n',
  }
  const README = '# Latchkey\n\nSee [the settings](docs/reference/settings.md#settings).\n'
  const fence = (info: string, text: string) => `${README}\n\`\`\`${info}\n${text}\n\`\`\`\n`

  beforeEach(async () => {
    const row = {
      env: 'LATCHKEY_PORT',
      flag: '--port',
      default: 8000,
      min: 0,
      max: 9,
      scope: 'serve',
      description: 'port',
    }
    plant({
      'package.json': '{ "type": "module" }',
      'packages/server/dist/settings/settings.js': `export const SETTINGS = ${JSON.stringify({ port: row })}`,
      'packages/latchkey/dist/errors.js':
        "export const ERRORS = { invalid: { status: 400, message: 'Invalid.' } }",
      'packages/server/bin/latchkey.js': `const help = ${JSON.stringify(HELP)}
const path = process.argv.slice(2, -1).join(' ').replace('runserver', 'serve')
console.log(help[path] ?? help[''])`,
      'README.md': fence('sh', 'PORT=1 npx latchkey serve --port 9000 | head -1 # latchkey nonsense'),
      'CONTRIBUTING.md': fence(
        'ts',
        "import { isAuthenticated } from 'latchkey'\nexport const it = isAuthenticated",
      ),
    })
    plant(await referencePages(root))
  })

  test('pass when everything in them is real', async () => {
    expect(await docFaults(root)).toEqual([])
  })

  test.each([
    [
      'an unknown command',
      fence('sh', 'latchkey start'),
      'README.md:6: latchkey start: there is no such command',
    ],
    [
      'an unknown flag',
      fence('console', '$ latchkey serve \\\n>   --prot 1\nReady'),
      'README.md:6: latchkey serve: there is no --prot',
    ],
    [
      'an unknown command in a sentence',
      `${README}Run \`latchkey start\`.\n`,
      'README.md:4: latchkey start: there is no such command',
    ],
    [
      'an unknown variable',
      `${README}Set LATCHKEY_PROT.\n`,
      'README.md:4: LATCHKEY_PROT: there is no such setting',
    ],
    ['a dead link', `${README}[x](docs/nowhere.md)\n`, 'README.md:4: docs/nowhere.md: leads nowhere'],
    ['a dead anchor', `${README}[x](#nowhere)\n`, 'README.md:4: #nowhere: there is no such heading'],
    ['code that does not compile', fence('ts', '\nconst port: number = "8000"'), 'README.md:7: TS2322'],
    ['code with an unknown import', fence('ts', "import { nothing } from 'latchkey'"), 'README.md:6: TS2305'],
    ['code that opts out', fence('ts ignore', 'nonsense('), "README.md:5: a block of 'ts ignore'"],
    ['JSON that is none', fence('json', '{ port: 1 }'), 'README.md:5: is no JSON'],
    ['a block without an end', `${README}\`\`\`ts\n1`, 'README.md: line 4: a code block without an end'],
  ])('refuse %s', async (_what, text, fault) => {
    plant({ 'README.md': text })
    const faults = await docFaults(root)
    expect(faults).toHaveLength(1)
    expect(faults[0]?.replace(/(TS\d+).*/, '$1')).toContain(fault)
  })

  test('refuse a reference page that was changed by hand', async () => {
    plant({ 'docs/reference/errors.md': '# Errors\n\n`invalid`\n' })
    expect(await docFaults(root)).toEqual(['docs/reference/errors.md: is stale; run npm run gen'])
  })

  test('refuse a setting, an error and a command that no reference page has', async () => {
    plant({
      'docs/reference/settings.md': '# Settings\n',
      'docs/reference/errors.md': '',
      'docs/reference/cli.md': '',
    })
    expect((await docFaults(root)).filter((fault) => fault.includes('is not there'))).toEqual([
      'docs/reference: setting port is not there',
      'docs/reference: error code invalid is not there',
      'docs/reference: command latchkey is not there',
      'docs/reference: command latchkey settings is not there',
      'docs/reference: command latchkey serve is not there',
    ])
  })

  test('refuse a repository without a README', async () => {
    rmSync(join(root, 'README.md'))
    expect(await docFaults(root)).toContain('README.md: is missing')
  })
})

describe('packed packages', () => {
  const manifest = {
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    bin: { x: 'bin/x.js' },
  }
  const files = [
    'README.md',
    'package.json',
    'dist/index.js',
    'dist/index.d.ts',
    'bin/x.js',
    'templates/app.test.ts',
  ]

  test('hold what they name and nothing else', () => {
    expect(tarballFaults(files, manifest)).toEqual([])
  })

  test.each(['dist/a.test.js', 'dist/.tsbuildinfo', 'src/a.js', 'dist/a.ts', '.env', 'demo.sqlite3'])(
    'are refused with %s in them',
    (file) => {
      expect(tarballFaults([...files, file], manifest)).toEqual([expect.stringContaining(`${file}: `)])
    },
  )

  test.each(['README.md', 'dist/index.d.ts', 'bin/x.js'])('are refused without %s', (file) => {
    const rest = files.filter((each) => each !== file)
    expect(tarballFaults(rest, manifest)).toEqual([`${file}: is named by the package and not in the tarball`])
  })

  test('are refused with a compiled file whose source is gone', () => {
    plant({ 'p/src/a.ts': '', 'p/dist/a.js': '', 'p/dist/a.d.ts': '', 'p/dist/old/b.js': '' })
    expect(staleFiles(join(root, 'p'))).toEqual(['dist/old/b.js: has no source; delete dist and build again'])
    expect(staleFiles(join(root, 'q'))).toEqual([expect.stringContaining('is missing')])
  })

  test('are refused when a subpath does not load or exports nothing', async () => {
    const exports = { '.': './a.js', './broken': './b.js', './empty': './c.js' }
    plant({
      'app/node_modules/mini/package.json': JSON.stringify({ name: 'mini', type: 'module', exports }),
      'app/node_modules/mini/a.js': 'export const a = 1',
      'app/node_modules/mini/b.js': "import 'not-installed-anywhere'",
      'app/node_modules/mini/c.js': '',
    })
    expect(await importFaults(join(root, 'app'), 'mini')).toEqual([
      expect.stringMatching(/^mini\/broken: does not load: Error \[ERR_MODULE_NOT_FOUND\]/),
      'mini/empty: does not load: Error: exports nothing',
    ])
  })

  test.each([
    ['publint', 'a file that is missing', './lost.js', ['publint/src/cli.js', 'run', '.', '--strict']],
    [
      'attw',
      'types of another module system',
      './a.js',
      ['@arethetypeswrong/cli/dist/index.js', '--pack', '.', '--profile', 'esm-only'],
    ],
  ])('are refused by %s for %s', async (_name, _what, entry, [path = '', ...args]) => {
    const exports = { '.': { types: './a.d.cts', default: entry } }
    plant({
      'package.json': JSON.stringify({
        name: 'mini',
        version: '1.0.0',
        type: 'module',
        files: ['a.*'],
        exports,
      }),
      'a.js': 'export const a = 1\n',
      'a.d.cts': 'export declare const a: 1\n',
    })
    expect((await tool(path, ...args)).code).not.toBe(0)
  })
})

describe('npm start and npm test', () => {
  test.each([
    ['20.18.3', true],
    ['18.20.0', true],
    ['20.19.0', false],
    ['24.1.0', false],
  ])('on Node %s refuse: %s', (version, refused) => {
    expect(nodeFault(version) !== null).toBe(refused)
  })

  test('install when node_modules is missing, and again when the lock file is newer', () => {
    const folder = join(root, 'clone')
    expect(installReason(folder)).toBe('node_modules is missing or incomplete')
    plant({ 'clone/node_modules/.package-lock.json': '{}', 'clone/package-lock.json': '{}' })
    utimesSync(join(folder, 'package-lock.json'), 1000, 1000)
    expect(installReason(folder)).toBeNull()
    utimesSync(join(folder, 'package-lock.json'), 4_000_000_000, 4_000_000_000)
    expect(installReason(folder)).toBe('package-lock.json is newer')
  })

  test('count what the runners report, a file that does not load as a failure', () => {
    const report = { numPassedTests: 7, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 }
    const testResults = [
      { status: 'failed', assertionResults: [] },
      { status: 'failed', assertionResults: [{}] },
    ]
    const counts = vitestCounts(JSON.stringify({ ...report, testResults }))
    expect(lastLine(counts)).toBe('7 passed, 2 failed, 3 skipped')
  })

  test('read the last line of the conformance runner, and refuse its absence', () => {
    const output = 'case 1: 1 passed\n1 passed, 0 failed, 0 skipped\n281 passed, 2 failed, 0 skipped\n'
    expect(conformanceCounts(output)).toEqual({ passed: 281, failed: 2, skipped: 0 })
    expect(() => conformanceCounts('done\n')).toThrow('is missing')
  })

  test('refuse a step that does not exist', async () => {
    const { code, output } = await run(
      process.execPath,
      [join(ROOT, 'tools/test.mjs'), '--only', 'nothing'],
      { capture: true },
    )
    expect(output).toContain('there is no step nothing')
    expect(code).toBe(1)
  })
})

/** Prevents "works in our process": the packed packages in test runners with realms of their own, and in bundles. */
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import webpack from 'webpack'
import { ROOT } from '../ensure-installed.mjs'

const SOURCES = join(ROOT, 'tools/lib/pack-hosts')
const JEST = join(ROOT, 'node_modules/jest/bin/jest.js')
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')

/** Native, or optional and not installed. */
const NEVER_BUNDLED = ['better-sqlite3', 'pg-native', '@node-rs/argon2', '@node-rs/bcrypt', 'pg-cloudflare']

/** What is left to Node beside those: nothing, everything, or one side of the pair, which makes two copies. */
const EXTERNALS = [
  { name: 'everything bundled', external: [], args: ['--other'] },
  {
    name: 'latchkey and its stores external',
    external: ['latchkey', 'latchkey/testing', '@latchkey/sql'],
    args: [],
  },
  { name: 'stores external, latchkey bundled', external: ['@latchkey/sql'], args: ['--other'] },
  { name: 'latchkey external, stores bundled', external: ['latchkey', 'latchkey/testing'], args: [] },
]

/**
 * @param folder where the packages are installed
 * @param node runs Node as a step: name, arguments, options
 */
export async function checkHosts(folder, node) {
  for (const file of ['probe.mjs', 'probe.test.mjs', 'entry.mjs', 'to-commonjs.cjs']) {
    cpSync(join(SOURCES, file), join(folder, file))
  }
  await checkTestRunners(folder, node)
  for (const row of EXTERNALS) {
    await checkBundle(`esbuild, ${row.name}`, row, folder, node, bundleByEsbuild)
    await checkBundle(`webpack, ${row.name}`, row, folder, node, bundleByWebpack)
  }
}

async function checkTestRunners(folder, node) {
  const jest = async (name, config, flags) => {
    const path = join(folder, `jest.${name}.json`)
    const own = {
      rootDir: folder,
      testMatch: ['**/probe.test.mjs'],
      moduleFileExtensions: ['mjs', 'js', 'json'],
    }
    writeFileSync(path, JSON.stringify({ ...own, ...config }))
    await node(`Jest, ${name}`, [...flags, JEST, '--config', path, '--runInBand'], { cwd: folder })
  }
  await jest('modules', { transform: {} }, ['--no-warnings', '--experimental-vm-modules'])
  const transform = { '\\.m?js$': join(folder, 'to-commonjs.cjs') }
  // The transformer is found beside the packages, and esbuild from here.
  writeFileSync(
    join(folder, 'to-commonjs.cjs'),
    `module.exports = require(${JSON.stringify(join(SOURCES, 'to-commonjs.cjs'))})\n`,
  )
  await jest('CommonJS', { transform, transformIgnorePatterns: [] }, [])
  for (const pool of ['vmThreads', 'vmForks']) {
    const args = ['run', '--globals', '--pool', pool, '--root', folder, 'probe.test.mjs']
    await node(`Vitest, ${pool}`, [VITEST, ...args], { cwd: folder })
  }
}

async function checkBundle(name, { external, args }, folder, node, bundle) {
  const outfile = join(folder, `${name.replace(/\W+/g, '-')}.mjs`)
  const built = await bundle({ folder, outfile, external: [...NEVER_BUNDLED, ...external] }).then(
    () => '',
    (error) => String(error),
  )
  const script =
    built === '' ? [outfile, ...args] : ['-e', 'console.error(process.argv[1]); process.exit(1)', built]
  await node(name, script, { cwd: folder })
}

function bundleByEsbuild({ folder, outfile, external }) {
  const banner =
    "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);"
  return build({
    absWorkingDir: folder,
    entryPoints: [join(folder, 'entry.mjs')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // CommonJS packages in a module: as esbuild's documentation has it.
    banner: { js: banner },
    external,
    logLevel: 'silent',
  })
}

function bundleByWebpack({ folder, outfile, external }) {
  return new Promise((resolve, reject) => {
    webpack(
      {
        mode: 'production',
        context: folder,
        entry: join(folder, 'entry.mjs'),
        target: 'node20',
        experiments: { outputModule: true },
        output: { path: folder, filename: outfile.slice(folder.length + 1), library: { type: 'module' } },
        externalsType: 'module',
        externals: external,
        performance: false,
      },
      (error, stats) => {
        if (error) reject(error)
        else if (stats.hasErrors()) reject(new Error(stats.toString({ all: false, errors: true })))
        else resolve()
      },
    )
  })
}

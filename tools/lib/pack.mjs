/** Prevents "works here, broken from the registry": what a packed tarball may hold and what each of its doors must do. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { run } from './run.mjs'

/** What has no place in a tarball. Project templates are sources on purpose. */
const UNWANTED = [
  [/\.test\.[cm]?[jt]s$/, 'a test'],
  [/\.tsbuildinfo$/, 'a build cache'],
  [/^(src|test|node_modules)\//, 'a source'],
  [/(?<!\.d)\.[cm]?tsx?$/, 'a source'],
  [/(^|\/)\.env|\.sqlite3|\.latchkey\//, 'private data'],
]

/**
 * Faults in a tarball's list of files.
 * @param {readonly string[]} files paths inside the package
 * @param {{ exports?: Record<string, unknown>, bin?: Record<string, string> }} manifest
 */
export function tarballFaults(files, manifest) {
  const own = files.filter((file) => !file.startsWith('templates/'))
  const unwanted = own.flatMap((file) => {
    const row = UNWANTED.find(([pattern]) => pattern.test(file))
    return row ? [`${file}: ${row[1]} is in the tarball`] : []
  })
  const targets = [...exportTargets(manifest.exports), ...Object.values(manifest.bin ?? {})]
  const missing = [...targets, 'README.md']
    .map((target) => target.replace(/^\.\//, ''))
    .filter((target) => !files.includes(target))
  return [
    ...unwanted,
    ...missing.map((target) => `${target}: is named by the package and not in the tarball`),
  ]
}

function exportTargets(value) {
  if (typeof value === 'string') return [value]
  return value && typeof value === 'object' ? Object.values(value).flatMap(exportTargets) : []
}

/** Compiled files whose source is gone: `tsc -b` never deletes, so a renamed file would be published for ever. */
export function staleFiles(packageFolder) {
  const dist = join(packageFolder, 'dist')
  if (!existsSync(dist)) return [`${dist}: is missing; run npm run build`]
  return readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(js|d\.ts)$/.test(entry.name))
    .map((entry) => relative(dist, join(entry.parentPath, entry.name)))
    .filter((file) => {
      const stem = file.replace(/\.(js|d\.ts)$/, '')
      return (
        !existsSync(join(packageFolder, 'src', `${stem}.ts`)) &&
        !existsSync(join(packageFolder, 'src', `${stem}.tsx`))
      )
    })
    .map((file) => `dist/${file.split(sep).join('/')}: has no source; delete dist and build again`)
}

/** Imports every subpath of an installed package in a fresh process; one fault per subpath that does not load. */
export async function importFaults(folder, name) {
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
  const faults = []
  for (const subpath of Object.keys(manifest.exports)) {
    const specifier = name + subpath.slice(1)
    const options = subpath.endsWith('.json') ? ", { with: { type: 'json' } }" : ''
    const script = `const m = await import('${specifier}'${options}); if (Object.keys(m).length === 0) throw new Error('exports nothing')`
    const { code, output } = await run(
      process.execPath,
      ['--no-warnings', '--input-type=module', '-e', script],
      {
        cwd: folder,
        capture: true,
      },
    )
    if (code !== 0) faults.push(`${specifier}: does not load: ${firstError(output)}`)
  }
  return faults
}

function firstError(output) {
  return /^\w*Error.*$/m.exec(output)?.[0] ?? output.trim().split('\n')[0]
}

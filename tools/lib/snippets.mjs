/** Prevents examples that do not compile: every TypeScript block of the docs becomes a file of a strict project. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './run.mjs'

const COMPILER_OPTIONS = {
  module: 'NodeNext',
  target: 'ES2023',
  lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  moduleDetection: 'force',
  skipLibCheck: true,
  noEmit: true,
}

/**
 * A block whose first line is a comment with a file's name (`// urls.ts`) gets that name, so that the other blocks of
 * the page can import it. Packages resolve as for a user: through node_modules and each package's exports.
 * @param {string} root with node_modules and built packages
 * @param {ReadonlyArray<{ page: string, line: number, text: string }>} snippets
 * @returns {Promise<string[]>} faults, each with page and line
 */
export async function compileSnippets(root, snippets) {
  if (snippets.length === 0) return []
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-docs-'))
  try {
    const pages = new Map()
    for (const [index, { page, line, text }] of snippets.entries()) {
      const pageFolder = page.replace(/\W+/g, '-')
      const named = /^\/\/ ([\w.-]+\.ts)\b/.exec(text)?.[1]
      const wanted = `${pageFolder}/${named ?? `block-${index}.ts`}`
      const file = pages.has(wanted) ? `${pageFolder}/block-${index}.ts` : wanted
      pages.set(file, page)
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      // The blank lines make the compiler's line numbers those of the page.
      writeFileSync(join(folder, file), '\n'.repeat(line - 1) + text)
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ['*/*.ts'] }),
    )
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { code, output } = await run(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      capture: true,
    })
    if (code === 0) return []
    const faults = output.split('\n').flatMap((line) => {
      const match = /^(\S+\.ts)\((\d+),\d+\): error (.*)$/.exec(line)
      return match ? [`${pages.get(match[1])}:${match[2]}: ${match[3]}`] : []
    })
    return faults.length > 0 ? faults : [`the examples could not be compiled:\n${output}`]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

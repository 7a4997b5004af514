/** The security pages name tests that exist: a sentence without its test is not shown. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './ensure-installed.mjs'

const folder = join(ROOT, 'docs/security')
const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.md'),
)

/** Paths in backticks, as far as they name a file or a folder of this repository. */
function pathsIn(page: string): string[] {
  const text = readFileSync(join(folder, page), 'utf8')
  return [...text.matchAll(/`((?:packages|attack|tools|torture)\/[^`\s]+)`/g)].map(([, path = '']) => path)
}

test.each(pages)('%s names files that exist', (page) => {
  expect(pathsIn(page).filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('threat model and requirements name a test in most rows', () => {
  expect(pathsIn('threat-model.md').length).toBeGreaterThan(25)
  expect(pathsIn('requirements.md').length).toBeGreaterThan(50)
})

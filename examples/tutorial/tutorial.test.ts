/** The page that walks through this project shows this project's code: word by word, or it is wrong. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const page = read('../../docs/guide/tutorial.md')

it.each(['core/views.ts', 'classic/views.ts'])('shows %s as it is', (path) => {
  expect(page).toContain(`\`\`\`ts\n${read(path)}\`\`\``)
})

it('mounts every route that the page mounts, and no other', () => {
  const routes = (text: string) =>
    new Set(text.match(/^.? +path\('.*'?, \w+(\(\))?\),$/gm)?.map((line) => line.slice(1).trim()))
  const served = routes(read('urls.ts'))
  expect(served.size).toBe(4)
  expect(routes(page)).toEqual(served)
})

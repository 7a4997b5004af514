/** Prevents docs checks from guessing: one reader of Markdown that knows code blocks, inline code, headings and links. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

/** Pages that every repository must have. */
export const REQUIRED = ['README.md', 'CONTRIBUTING.md']

/** Every page of the docs, as paths below the root. */
export function docPages(root) {
  const below = (folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
          .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
      : []

  const readmes = ['packages', 'examples']
    .flatMap((folder) =>
      existsSync(join(root, folder))
        ? readdirSync(join(root, folder)).map((name) => `${folder}/${name}/README.md`)
        : [],
    )
    .filter((path) => existsSync(join(root, path)))
  return [...REQUIRED.filter((path) => existsSync(join(root, path))), ...below('docs').sort(), ...readmes]
}

/**
 * @param {string} text
 * @returns {{ blocks: Array<{ info: string, line: number, text: string }>, prose: string }} line: of the block's first
 *   line of code, from 1; prose: the text with its blocks blanked out, so that line numbers stay
 */
export function readMarkdown(text) {
  const blocks = []
  const prose = []
  let open = null
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^ {0,12}(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line)
    if (open === null && fence) open = { fence: fence[1], info: fence[2], line: index + 2, lines: [] }
    else if (open && fence && fence[2] === '' && fence[1].startsWith(open.fence)) {
      blocks.push({ info: open.info, line: open.line, text: open.lines.join('\n') })
      open = null
    } else if (open) open.lines.push(line)
    else {
      prose.push(line)
      continue
    }
    prose.push('')
  }
  if (open) throw new Error(`line ${open.line - 1}: a code block without an end`)
  return { blocks, prose: prose.join('\n') }
}

/** Texts between single backticks, with their lines. */
export function inlineCode(prose) {
  return prose
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(([, text]) => ({ text, line: index + 1 })),
    )
}

/** Targets of links and images, with their lines. */
function links(prose) {
  return prose.split('\n').flatMap((line, index) =>
    [
      ...line.replace(/`[^`]*`/g, '').matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)/g),
    ].map((match) => ({
      target: match[1] ?? match[2],
      line: index + 1,
    })),
  )
}

/** The anchors that GitHub makes of the headings. */
function anchors(prose) {
  const seen = new Map()
  return prose.split('\n').flatMap((line) => {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) return []
    const plain = heading.replace(/\]\([^)]*\)/g, '').toLowerCase()
    const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return [count === 0 ? slug : `${slug}-${count}`]
  })
}

/** Relative links of a page that lead nowhere, or to a heading that is not there. proseOf: by absolute path. */
export function linkFaults(root, { page, prose }, proseOf) {
  return links(prose).flatMap(({ target, line }) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return []
    const [path, anchor] = target.split('#')
    const file = path ? resolve(root, dirname(page), decodeURI(path)) : resolve(root, page)
    if (!existsSync(file)) return [`${page}:${line}: ${target}: leads nowhere`]
    if (!anchor || statSync(file).isDirectory()) return []
    const known = anchors(proseOf.get(file) ?? readMarkdown(readFileSync(file, 'utf8')).prose)
    return known.includes(anchor) ? [] : [`${page}:${line}: ${target}: there is no such heading`]
  })
}

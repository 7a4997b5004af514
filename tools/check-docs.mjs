/** Prevents docs that lie: every command, setting, link and example in them is checked against what was built. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from './ensure-installed.mjs'
import { referencePages } from './generate-reference.mjs'
import { docPages, inlineCode, linkFaults, REQUIRED, readMarkdown } from './lib/markdown.mjs'
import { commandFault, invocations, typedLines } from './lib/shell.mjs'
import { compileSnippets } from './lib/snippets.mjs'
import { allCommands, commandLine, readErrors, readSettings } from './lib/surface.mjs'

/** What a block may call itself. `text` is for what is neither code nor commands. */
const SHELLS = ['sh', 'console', 'bash']
const COMPILED = ['ts', 'typescript', 'js']
const OTHERS = [
  'text',
  'json',
  'http',
  'html',
  'sql',
  'yaml',
  'nginx',
  'python',
  'diff',
  'mermaid',
  'dockerfile',
]

const VARIABLES = /\bLATCHKEY_[A-Z0-9_]*[A-Z0-9]\b/g

/** @returns {Promise<string[]>} everything that is wrong, each with page and line */
export async function docFaults(root = ROOT) {
  const help = commandLine(root)
  const [settings, errors, commands] = [
    await readSettings(root),
    await readErrors(root),
    await allCommands(help),
  ]
  const ofCommands = commands.flatMap(({ text }) => text.match(VARIABLES) ?? [])
  const variables = new Set([...Object.values(settings).map(({ env }) => env), ...ofCommands])
  const faults = REQUIRED.filter((path) => !existsSync(join(root, path))).map((path) => `${path}: is missing`)
  const pages = docPages(root).flatMap((page) => {
    try {
      return [{ page, ...readMarkdown(readFileSync(join(root, page), 'utf8')) }]
    } catch (error) {
      faults.push(`${page}: ${error.message}`)
      return []
    }
  })
  const proseOf = new Map(pages.map(({ page, prose }) => [resolve(root, page), prose]))
  for (const each of pages) {
    faults.push(
      ...blockFaults(each),
      ...variableFaults(root, each, variables),
      ...linkFaults(root, each, proseOf),
    )
    faults.push(...(await commandFaults(each, help)))
  }
  const snippets = pages.flatMap(({ page, blocks }) =>
    blocks.filter(({ info }) => COMPILED.includes(info)).map((block) => ({ page, ...block })),
  )
  faults.push(...(await compileSnippets(root, snippets)))
  faults.push(...(await staleReference(root)), ...undocumented(pages, { settings, errors, commands }))
  return faults
}

function blockFaults({ page, blocks }) {
  return blocks.flatMap(({ info, line, text }) => {
    const where = `${page}:${line - 1}`
    if (![...SHELLS, ...COMPILED, ...OTHERS].includes(info))
      return [`${where}: a block of '${info}': use ts, sh or text`]
    if (info !== 'json') return []
    try {
      JSON.parse(text)
      return []
    } catch (error) {
      return [`${where}: is no JSON: ${error.message}`]
    }
  })
}

function variableFaults(root, { page }, known) {
  const lines = readFileSync(join(root, page), 'utf8').split('\n')
  return lines.flatMap((line, index) =>
    (line.match(VARIABLES) ?? [])
      .filter((name) => !known.has(name))
      .map((name) => `${page}:${index + 1}: ${name}: there is no such setting`),
  )
}

async function commandFaults({ page, blocks, prose }, help) {
  const typed = blocks.filter(({ info }) => SHELLS.includes(info)).flatMap(typedLines)
  const faults = []
  for (const { text, line } of [...typed, ...inlineCode(prose)]) {
    for (const words of invocations(text)) {
      const fault = await commandFault(words, help)
      if (fault) faults.push(`${page}:${line}: ${fault}`)
    }
  }
  return faults
}

async function staleReference(root) {
  return Object.entries(await referencePages(root)).flatMap(([path, text]) => {
    const file = join(root, path)
    const committed = existsSync(file) ? readFileSync(file, 'utf8') : null
    return committed === text
      ? []
      : [`${path}: ${committed === null ? 'is missing' : 'is stale'}; run npm run gen`]
  })
}

/** The other direction: what exists and is on no reference page. */
function undocumented(pages, { settings, errors, commands }) {
  const reference = pages.filter(({ page }) => page.startsWith('docs/reference/'))
  const text = reference.map(({ prose }) => prose).join('\n')
  const names = [
    ...Object.keys(settings).map((key) => [`setting ${key}`, `\`${key}\``]),
    ...Object.keys(errors).map((key) => [`error code ${key}`, `\`${key}\``]),
    ...commands.map(({ path }) => {
      const name = ['latchkey', ...path].join(' ')
      return [`command ${name}`, `## ${name}\n`]
    }),
  ]
  return names
    .filter(([, wanted]) => !text.includes(wanted))
    .map(([name]) => `docs/reference: ${name} is not there`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = await docFaults().catch((error) => [error.message])
  for (const fault of faults) console.error(fault)
  console.log(
    faults.length
      ? `${faults.length} faults in the docs.`
      : `The docs are true: ${docPages(ROOT).length} pages.`,
  )
  process.exitCode = faults.length ? 1 : 0
}

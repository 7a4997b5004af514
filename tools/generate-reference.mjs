/** Prevents reference pages that drift: writes docs/reference from the tables in the code (`npm run gen`). */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from './ensure-installed.mjs'
import { allCommands, commandLine, readErrors, readSettings } from './lib/surface.mjs'

const NOTICE = '<!-- Made by `npm run gen` from the code. Changes belong there. -->'
const SHARED_GROUPS = ['Settings', 'Global Options']

const page = (title, intro, body) => `# ${title}\n\n${NOTICE}\n\n${intro}\n\n${body.trim()}\n`
const cell = (text) => String(text).replace(/\|/g, '\\|').replace(/</g, '&lt;')
const code = (text) => `\`${String(text).replace(/\|/g, '\\|')}\``

/** Help texts are phrases; on a page they stand alone. */
const sentence = (text) => cell(text.charAt(0).toUpperCase() + text.slice(1)).replace(/[^.]$/, '$&.')

function table(headings, rows) {
  const lines = [headings, headings.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  return `${lines.join('\n')}\n`
}

function settingsPage(settings) {
  const rows = Object.entries(settings).map(([key, row]) => [
    code(key),
    code(row.env),
    row.flag ? code(row.flag) : 'none',
    row.default === undefined || row.default?.length === 0 ? 'none' : code(row.default),
    row.min === undefined ? '' : `${row.min} to ${row.max}`,
    `${cell(row.description)}${row.scope === 'serve' ? ' (`latchkey serve`)' : ''}`,
  ])
  return page(
    'Settings',
    'Later beats earlier: the default, `latchkey.config.ts`, the environment, the flag. `latchkey settings` shows what is in force and where it comes from.',
    table(['key in `latchkey.config.ts`', 'environment', 'flag', 'default', 'range', 'what it does'], rows),
  )
}

function errorsPage(errors) {
  const rows = Object.entries(errors).map(([key, { status, message }]) => [code(key), status, cell(message)])
  return page(
    'Errors',
    'Every refusal is a `LatchkeyError` with a stable `code`; over HTTP the code decides the status, and the message is the `detail` of the body where no more exact one is given.',
    table(['code', 'status', 'message'], rows),
  )
}

function commandSection({ path, usage, description, groups, after }) {
  const title = ['latchkey', ...path].join(' ')
  const own = groups.filter((group) => !SHARED_GROUPS.includes(group.title) || path.join() === 'serve')
  const lists = own.map(({ title: heading, entries }) => {
    const shown = entries.filter(({ term }) => !/^(help\b|-h, )/.test(term))
    if (shown.length === 0) return ''
    return `${heading}:\n\n${shown.map(({ term, text }) => `- \`${term}\`${text ? `: ${cell(text)}` : ''}`).join('\n')}\n`
  })
  const notes = after ? ['```text', after.trim(), '```', ''] : []
  const head = [`## ${title}`, '', sentence(description), '', '```text', usage, '```', '']
  const parts = [...head, ...lists.filter(Boolean), ...notes]
  return parts.join('\n').replace(/\n{3,}/g, '\n\n')
}

function cliPage(commands) {
  return page(
    'Command line',
    'Commands that open the database also take the flags of the [settings](settings.md).',
    commands.map(commandSection).join('\n'),
  )
}

/** Path below the root -> what must be there. */
export async function referencePages(root = ROOT) {
  const [settings, errors] = [await readSettings(root), await readErrors(root)]
  return {
    'docs/reference/settings.md': settingsPage(settings),
    'docs/reference/errors.md': errorsPage(errors),
    'docs/reference/cli.md': cliPage(await allCommands(commandLine(root))),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(join(ROOT, 'docs/reference'), { recursive: true })
  for (const [path, text] of Object.entries(await referencePages())) {
    writeFileSync(join(ROOT, path), text)
    console.log(`wrote ${path}`)
  }
}

/** Prevents docs of a product that does not exist: reads settings, errors and commands from what was built. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run } from './run.mjs'

const load = (root, path) => import(pathToFileURL(join(root, path)).href)

/** The settings table: key -> row. */
export const readSettings = async (root) =>
  (await load(root, 'packages/server/dist/settings/settings.js')).SETTINGS

/** The error table: code -> status and message. */
export const readErrors = async (root) => (await load(root, 'packages/latchkey/dist/errors.js')).ERRORS

const asked = new Map()

/**
 * The command line as it describes itself; each help is asked for once.
 * @returns a function: path of a command -> its help, or null where there is no such command
 */
export function commandLine(root) {
  const bin = join(root, 'packages/server/bin/latchkey.js')
  return function help(path) {
    const key = [bin, ...path].join('\n')
    if (!asked.has(key)) asked.set(key, askForHelp(bin, path))
    return asked.get(key)
  }
}

async function askForHelp(bin, path) {
  const { code, output } = await run(process.execPath, [bin, ...path, '--help'], {
    capture: true,
    timeoutMs: 30_000,
  })
  const parsed = parseHelp(output)
  // A command with an alias introduces itself as `serve|runserver`.
  const words = parsed.usage.split(' ')
  if (code === 0 && ['latchkey', ...path].every((name, index) => words[index]?.split('|').includes(name)))
    return parsed
  if (path.length === 0) throw new Error(`latchkey --help does not work:\n${output.trim()}`)
  return null
}

/** Every command that the help shows, breadth first, groups before what is in them. */
export async function allCommands(help) {
  const found = []
  for (let level = [[]]; level.length > 0; ) {
    const described = await Promise.all(
      level.map(async (path) => ({ path, ...((await help(path)) ?? { usage: null }) })),
    )
    const missing = described.find(({ usage }) => usage === null)
    if (missing) throw new Error(`latchkey ${missing.path.join(' ')}: is listed, and has no help`)
    found.push(...described)
    level = described.flatMap(({ path, commands }) => commands.map(({ name }) => [...path, name]))
  }
  return found
}

/**
 * Reads the layout that Commander prints: `Usage:`, a description, and lists under headings that end in a colon.
 * An entry is indented by two and separated from its description by two blanks; deeper lines continue it. A line of
 * text after the lists begins what `addHelpText` adds.
 */
export function parseHelp(text) {
  const result = { text, usage: '', description: '', after: '', groups: [], commands: [], flags: [] }
  let isUsage = false
  for (const line of text.split('\n')) {
    const usage = /^Usage: (.*)$/.exec(line)?.[1]
    const title = /^([A-Z][^.]*):$/.exec(line)?.[1]
    const entry = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line)
    const group = result.groups.at(-1)
    const last = group?.entries.at(-1)
    if (usage) result.usage = usage
    else if (result.after || (group && /^\S/.test(line) && !title)) result.after += `${line}\n`
    else if (title) result.groups.push({ title, entries: [] })
    else if (entry && group) group.entries.push({ term: entry[1], text: entry[2] ?? '' })
    else if (/^ {3,}\S/.test(line) && last) last.text = `${last.text} ${line.trim()}`.trim()
    else if (!group && isUsage && line) result.usage = `${result.usage} ${line.trim()}`
    else if (!group) result.description = `${result.description} ${line.trim()}`.trim()
    isUsage = (usage !== undefined || isUsage) && line !== ''
  }
  for (const { term, title } of result.groups.flatMap(({ title, entries }) =>
    entries.map(({ term }) => ({ term, title })),
  )) {
    const flags = term.match(/(?<=^|, )-{1,2}[\w-]+/g)
    const [name] = term.split(/[\s|]/)
    if (flags) result.flags.push(...flags)
    else if (result.usage.endsWith('[command]') && title !== 'Arguments' && name !== 'help')
      result.commands.push({ name })
  }
  return result
}

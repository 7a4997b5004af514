/** `latchkey startproject NAME [DIR]`: a project that runs, from `templates/project`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { CommandError, type Io, note, printLine } from '../output.js'
import { packageVersion } from '../version.js'

export function startProjectCommand(io: Io): Command {
  return new Command('startproject')
    .description('write a new project: settings, urls, a view and its test')
    .argument('<name>', 'its name, as npm takes it: my-api')
    .argument('[directory]', 'where (default: a new folder of that name)')
    .action((name: string, directory: string = name) => {
      refuseName(name)
      const folder = resolve(io.cwd, directory)
      refuseUsedFolder(folder)
      const files = writeTemplate(folder, { name, version: packageVersion() })
      for (const file of files) printLine(io, join(relative(io.cwd, folder), file))
      const enter = folder === resolve(io.cwd) ? '' : `cd ${relative(io.cwd, folder)} && `
      note(io, `Next: ${enter}npm install && npm test && npm start`)
    })
}

/** Names that npm refuses, and those that would stand in the way of the packages that a project uses. */
const RESERVED = ['node_modules', 'favicon.ico', 'latchkey', 'test', 'core']

/** A name for npm and for JavaScript at once: `my-api`, `my_api`. */
function refuseName(name: string): void {
  if (!/^[a-z][a-z0-9_-]{0,99}$/.test(name)) {
    throw new CommandError(
      `'${name}' is not a valid project name: use lower-case letters, digits, - and _, a letter first`,
    )
  }
  if (RESERVED.includes(name))
    throw new CommandError(`'${name}' is the name of something else: choose another one`)
}

function refuseUsedFolder(folder: string): void {
  const stat = statSync(folder, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isDirectory()) throw new CommandError(`${folder} is a file`)
  // A new repository has a `.git` and nothing else.
  if (readdirSync(folder).some((entry) => entry !== '.git')) throw new CommandError(`${folder} is not empty`)
}

/**
 * Copies the template; `{{name}}` and `{{version}}` are filled in. A template's `dot-` is a `.` and its `.tmpl` falls
 * off: npm and other tools would take files with their real names for their own.
 */
function writeTemplate(folder: string, words: Readonly<Record<string, string>>): readonly string[] {
  const root = fileURLToPath(new URL('../../../templates/project/', import.meta.url))
  const templates = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  const files = templates.map((entry) => relative(root, join(entry.parentPath, entry.name))).sort()
  return files.map((file) => {
    const target = file.replace(/\.tmpl$/, '').replace(/(^|[\\/])dot-/, '$1.')
    const text = readFileSync(join(root, file), 'utf8').replace(
      /\{\{(\w+)\}\}/g,
      (_, word: string) => words[word] ?? '',
    )
    try {
      mkdirSync(dirname(join(folder, target)), { recursive: true })
      writeFileSync(join(folder, target), text, { flag: 'wx' })
    } catch (error) {
      // A disk that became full leaves the beginning of a file.
      if (codeOf(error) === 'ENOSPC') rmSync(join(folder, target), { force: true })
      throw new CommandError(`${join(folder, target)} cannot be written: ${codeOf(error)}`, { cause: error })
    }
    return target
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'error'
}

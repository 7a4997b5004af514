/** Prevents "works only after npm install": checks Node, installs what is missing or stale. Built-ins only. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npmCommand, run } from './lib/run.mjs'

/** The repository, with no slash at the end. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

const LOWEST_NODE = [20, 19]

/** Null, or the one line that says which Node is needed. */
export function nodeFault(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [lowestMajor, lowestMinor] = LOWEST_NODE
  if (major > lowestMajor || (major === lowestMajor && minor >= lowestMinor)) return null
  return `Latchkey needs Node ${LOWEST_NODE.join('.')} or newer; this is ${version}. Get one at https://nodejs.org/`
}

/** Why the dependencies have to be installed (again); null when they are in place. */
export function installReason(root = ROOT) {
  const marker = join(root, 'node_modules/.package-lock.json')
  const lock = join(root, 'package-lock.json')
  if (!existsSync(marker)) return 'node_modules is missing or incomplete'
  if (existsSync(lock) && statSync(lock).mtimeMs > statSync(marker).mtimeMs)
    return 'package-lock.json is newer'
  return null
}

/**
 * Installs the dependencies where needed and makes sure that SQLite's native part loads in this very Node.
 * Prints one line per thing it does; throws an Error with one clear line when it cannot.
 */
export async function ensureInstalled(root = ROOT) {
  const fault = nodeFault()
  if (fault) throw new Error(fault)
  const reason = installReason(root)
  if (reason) {
    console.log(`Installing dependencies: ${reason}.`)
    console.log('SQLite is compiled for about a minute where its prebuilt binary cannot be downloaded.')
    await install(root)
  }
  if (await sqliteLoads(root)) return
  console.log(`Compiling SQLite for Node ${process.versions.node} (about a minute).`)
  const { code, output } = await npm(root, ['rebuild', 'better-sqlite3'])
  if (code === 0 && (await sqliteLoads(root))) return
  throw new Error(`${output.trim()}\nbetter-sqlite3 does not load; try: npm rebuild better-sqlite3`)
}

/**
 * `npm ci`, else `npm install`: a lock file that was written where the packages for other platforms could not be
 * reached does not list them, and `npm ci` refuses it everywhere. Neither changes package-lock.json.
 */
async function install(root) {
  const attempts = existsSync(join(root, 'package-lock.json'))
    ? [['ci'], ['install', '--no-save']]
    : [['install']]
  const outputs = []
  for (const args of attempts) {
    const { code, output } = await npm(root, args)
    if (code === 0) return console.log(`  npm ${args[0]}: done`)
    outputs.push(`npm ${args.join(' ')}: exit code ${code}\n${output.trim()}`)
    console.log(`  npm ${args[0]}: failed${args === attempts.at(-1) ? '' : '; trying npm install'}`)
  }
  throw new Error(
    `${outputs.join('\n\n')}\n\nThe dependencies could not be installed; npm's words are above.`,
  )
}

/** Runs npm with a line of progress every 15 seconds; what it prints is kept for the case that it fails. */
async function npm(root, args) {
  const started = Date.now()
  const tick = setInterval(() => {
    console.log(`  npm ${args[0]}: ${Math.round((Date.now() - started) / 1000)} s`)
  }, 15_000)
  const { command, args: before } = npmCommand()
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  return run(command, [...before, ...args, ...quiet], { cwd: root, capture: true }).finally(() =>
    clearInterval(tick),
  )
}

/** A switch of the Node version leaves a native module behind that no longer loads: try it, in a process of its own. */
async function sqliteLoads(root) {
  const probe = "new (require('better-sqlite3'))(':memory:').close()"
  return (await run(process.execPath, ['-e', probe], { cwd: root, capture: true })).code === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled().catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}

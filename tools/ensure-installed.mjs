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
    const verb = existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install'
    console.log(`Installing dependencies (npm ${verb}): ${reason}.`)
    console.log('SQLite is compiled for about a minute where its prebuilt binary cannot be downloaded.')
    await npm(root, 'Installing', [verb, '--no-audit', '--no-fund', '--loglevel=error'])
  }
  if (await sqliteLoads(root)) return
  console.log(`Compiling SQLite for Node ${process.versions.node} (about a minute).`)
  await npm(root, 'Compiling', ['rebuild', 'better-sqlite3', '--loglevel=error'])
  if (!(await sqliteLoads(root)))
    throw new Error('better-sqlite3 does not load; try: npm rebuild better-sqlite3')
}

async function npm(root, doing, args) {
  const started = Date.now()
  const tick = setInterval(() => {
    console.log(`  ${doing.toLowerCase()} … ${Math.round((Date.now() - started) / 1000)} s`)
  }, 15_000)
  const { command, args: before } = npmCommand()
  const { code } = await run(command, [...before, ...args], { cwd: root }).finally(() => clearInterval(tick))
  if (code !== 0) throw new Error(`npm ${args[0]} failed with exit code ${code}; its message is above.`)
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

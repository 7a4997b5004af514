/** An earlier commit, built in a temporary git worktree, to be measured by this checkout's bench code. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { run } from '../../tools/lib/run.mjs'
import { Stop } from './stop.mjs'

/** What has to build, with all that it refers to. */
const PROJECT = 'packages/server'
/** The packages that each side has to take from its own folder. */
const OURS = ['latchkey', '@latchkey/sql', '@latchkey/server']

/**
 * @param {string} root a git checkout
 * @param {string} name a hash, branch or tag
 * @returns {string} the full hash
 * @throws Stop when there is no such commit, or `root` is not in git
 */
export function resolveCommit(root, name) {
  const words = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
  const { status, stdout, stderr } = spawnSync('git', words, { cwd: root, encoding: 'utf8' })
  if (status === 0) return stdout.trim()
  const reason = stderr?.trim()
  throw new Stop(`--against: there is no commit ${name}${reason ? ` (${reason})` : ''}`)
}

/** This checkout in words: its commit, and whether it has changes that are in no commit. @param {string} root */
export function describeCheckout(root) {
  const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--', 'packages') !== ''
  return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with uncommitted changes' : ''}`
}

/** @param {string} root @throws Stop when the compiler refuses; its messages are on the screen */
export async function build(root, project = PROJECT) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { code } = await run(process.execPath, [tsc, '-b', ...(project === '' ? [] : [project])], {
    cwd: root,
  })
  if (code !== 0) throw new Stop(`the build of ${root} failed; its messages are above`)
}

/**
 * Checks the commit out, links the dependencies of this checkout, copies its bench code and compiles. The worktree is
 * removed when the process ends.
 * @param {string} root this checkout
 * @param {string} commit full hash
 * @returns {Promise<string>} the folder
 */
export async function prepareOldVersion(root, commit) {
  const parent = mkdtempSync(join(realpathSync(tmpdir()), 'latchkey-bench-'))
  const folder = join(parent, 'old')
  const git = (...words) => spawnSync('git', ['worktree', ...words], { cwd: root, encoding: 'utf8' })
  process.once('exit', () => {
    git('remove', '--force', folder)
    rmSync(parent, { recursive: true, force: true })
    git('prune')
  })
  const { status, stderr } = git('add', '--detach', folder, commit)
  if (status !== 0) throw new Stop(`git could not check ${commit} out: ${stderr?.trim()}`)
  linkDependencies(root, folder)
  copyHarness(root, folder)
  if (!sameLockFile(root, folder)) {
    console.error('The lock files differ: both versions run with the dependencies of this checkout.')
  }
  await build(folder)
  checkResolution(folder)
  return folder
}

/** Links every installed package; the workspaces' own packages are linked to those of `to`. */
function linkDependencies(root, to) {
  for (const modules of ['node_modules', ...nestedModules(root)]) {
    const from = join(root, modules)
    mkdirSync(join(to, modules), { recursive: true })
    for (const name of packagesIn(from)) {
      const target = realpathSync(join(from, name))
      const within = relative(root, target)
      const isWorkspace = lstatSync(join(from, name)).isSymbolicLink() && !within.startsWith(`..${sep}`)
      const link = join(to, modules, name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(isWorkspace ? join(to, within) : target, link)
    }
  }
}

/** `packages/server/node_modules` and the like: what npm could not put at the top. */
function nestedModules(root) {
  return readdirSync(join(root, 'packages'))
    .map((name) => join('packages', name, 'node_modules'))
    .filter((path) => existsSync(join(root, path)))
}

function packagesIn(modules) {
  const names = readdirSync(modules).filter((name) => !name.startsWith('.'))
  return names.flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : name,
  )
}

/** The harness is the same on both sides: what differs is the library alone. */
function copyHarness(root, to) {
  for (const path of ['bench', 'tools/lib']) {
    rmSync(join(to, path), { recursive: true, force: true })
    cpSync(join(root, path), join(to, path), {
      recursive: true,
      filter: (source) => !/[\\/](node_modules|results)$/.test(source),
    })
  }
  const peers = join('bench/peers/node_modules')
  if (existsSync(join(root, peers))) symlinkSync(join(root, peers), join(to, peers))
}

function sameLockFile(root, folder) {
  const read = (base) => {
    const path = join(base, 'package-lock.json')
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }
  return read(root) === read(folder)
}

/** A side that loaded the library of the other one would show a ratio of 1 whatever has changed. */
function checkResolution(folder) {
  const script = `for (const name of ${JSON.stringify(OURS)}) console.log(import.meta.resolve(name))`
  const words = ['--input-type=module', '--eval', script]
  const output = execFileSync(process.execPath, words, { cwd: join(folder, 'bench'), encoding: 'utf8' })
  const own = new URL(`file://${folder}/packages/`).href
  const foreign = output
    .trim()
    .split('\n')
    .find((url) => !url.startsWith(own))
  if (foreign !== undefined) throw new Stop(`the old version would load ${foreign}`)
}

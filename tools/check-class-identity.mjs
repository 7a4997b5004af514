/**
 * Prevents decisions by class identity: `instanceof` is wrong for values of another realm, of another copy of the
 * package, and where a host program has replaced a global such as `Promise`. What it decides then is who gets in.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { ROOT } from './ensure-installed.mjs'

/** Where it is refused. Tests and the server's own errors are not looked at. */
const FOLDERS = ['packages/latchkey/src', 'packages/sql/src']

/** Files that may use it, each with the reason. An entry that is not needed any more is a fault, too. */
export const ALLOWED = Object.freeze({})

const INSTEAD =
  "use util.types, ArrayBuffer.isView, isThenable(), an error's code, or an own-property brand (brand.ts)"

/**
 * @param files path -> text
 * @param allowed path -> reason
 * @returns one line per fault
 */
export function classIdentityFaults(files, allowed = ALLOWED) {
  const faults = []
  for (const [path, text] of Object.entries(files)) {
    const uses = usesIn(path, text)
    if (!Object.hasOwn(allowed, path)) faults.push(...uses)
    else if (uses.length === 0) faults.push(`${path}: is allowed to use instanceof, and does not`)
  }
  for (const [path, reason] of Object.entries(allowed)) {
    if (!Object.hasOwn(files, path)) faults.push(`${path}: is allowed to use instanceof, and does not exist`)
    if (typeof reason !== 'string' || reason.trim() === '')
      faults.push(`${path}: is allowed without a reason`)
  }
  return faults
}

function usesIn(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const uses = []
  const visit = (node) => {
    const what = classDecision(node)
    if (what !== null) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      uses.push(`${path}:${line + 1}: ${what}: ${INSTEAD}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return uses
}

/** Other spellings of the same decision count as well. */
function classDecision(node) {
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword)
    return 'instanceof'
  if (ts.isPropertyAccessExpression(node) && ['isPrototypeOf', 'hasInstance'].includes(node.name.text))
    return node.name.text
  const isComparison =
    ts.isBinaryExpression(node) &&
    [
      ts.SyntaxKind.EqualsEqualsEqualsToken,
      ts.SyntaxKind.ExclamationEqualsEqualsToken,
      ts.SyntaxKind.EqualsEqualsToken,
      ts.SyntaxKind.ExclamationEqualsToken,
    ].includes(node.operatorToken.kind)
  if (isComparison && [node.left, node.right].some(isConstructorOf)) return 'a compared constructor'
  return null
}

function isConstructorOf(node) {
  return ts.isPropertyAccessExpression(node) && node.name.text === 'constructor'
}

function sources(folder) {
  const found = readdirSync(folder, { withFileTypes: true, recursive: true })
  return found
    .filter((entry) => entry.isFile() && /(?<!\.test)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const paths = FOLDERS.flatMap((folder) => sources(join(ROOT, folder)))
  const name = (path) => relative(ROOT, path).split(sep).join('/')
  const files = Object.fromEntries(paths.map((path) => [name(path), readFileSync(path, 'utf8')]))
  const faults = classIdentityFaults(files)
  for (const fault of faults) console.error(fault)
  console.log(`${paths.length} files, ${faults.length} decisions by class identity`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

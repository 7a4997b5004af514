/** The peers: libraries of `bench/peers/package.json`, installed there and nowhere else, when a row needs them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { npmCommand, run } from '../../tools/lib/run.mjs'

const FOLDER = new URL('../peers/', import.meta.url)

/** Package -> version, as they are measured. @type {Readonly<Record<string, string>>} */
export const PEERS = readJson('package.json').dependencies

/** Installs what is not there in its version. @returns {Promise<boolean>} whether all peers are there now */
export async function installPeers() {
  if (areThere()) return true
  const { command, args } = npmCommand()
  const folder = fileURLToPath(FOLDER)
  const options = ['--prefix', folder, '--no-package-lock', '--no-audit', '--no-fund']
  return (await run(command, [...args, 'install', ...options])).code === 0 && areThere()
}

/**
 * `bench/peers/NAME.mjs`: a peer set up as its documentation says, in the folder where its packages are found.
 * @param {string} name
 */
export function importPeer(name) {
  return import(new URL(`${name}.mjs`, FOLDER).href)
}

function areThere() {
  return Object.entries(PEERS).every(([name, version]) => installedVersion(name) === version)
}

function installedVersion(name) {
  try {
    return readJson(`node_modules/${name}/package.json`).version
  } catch {
    return undefined
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(new URL(path, FOLDER), 'utf8'))
}

/** The secret on disk: made once for its owner only, read again after each rotation. `cli/open.ts` and `secret` call it. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { MIN_SECRET_LENGTH } from 'latchkey'
import { SettingsError } from './settings-error.js'

/** 256 random bits, as 64 hex digits. */
export function newSecret(): string {
  return randomBytes(32).toString('hex')
}

/**
 * The secrets of a file, one a line, newest first.
 * @throws SettingsError when it cannot be read, others than its owner may read it, or a line is too short
 */
export function readSecretFile(path: string): readonly string[] {
  const secrets = readLines(path)
  refuseOpenFile(path)
  if (secrets.length === 0) throw new SettingsError(path, 'holds no secret')
  if (secrets.some((secret) => secret.length < MIN_SECRET_LENGTH)) {
    throw new SettingsError(path, `each line must have at least ${MIN_SECRET_LENGTH} characters`)
  }
  return secrets
}

/**
 * Reads the file, or makes it with a new secret (0600, in a folder of 0700). Of several processes that start at once
 * one makes it and all get the same secret: the file appears under its name only when it is complete.
 */
export function readOrMakeSecretFile(path: string): {
  readonly secrets: readonly string[]
  readonly made: boolean
} {
  if (existsSync(path)) return { secrets: readSecretFile(path), made: false }
  let made = true
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeWith(path, [newSecret()], (temporary) => {
      try {
        linkSync(temporary, path)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        made = false
      }
    })
  } catch (error) {
    throw new SettingsError(path, `cannot be made: ${codeOf(error)}; set LATCHKEY_SECRET instead`)
  }
  return { secrets: readSecretFile(path), made }
}

/**
 * Does work that replaces the file, each time as a whole. One process at a time: two rotations at once would each
 * forget the other's new secret, and with it what was sealed under it.
 * @throws SettingsError when another rotation holds the lock
 */
export async function changeSecretFile<T>(
  path: string,
  work: (write: (secrets: readonly string[]) => void) => Promise<T>,
): Promise<T> {
  const lock = `${path}.lock`
  try {
    closeSync(openSync(lock, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw new SettingsError(path, `cannot be changed: ${codeOf(error)}`)
    throw new SettingsError(
      path,
      `another rotation is at work; if none is, one was interrupted: remove ${lock}`,
    )
  }
  try {
    return await work((secrets) => writeWith(path, secrets, (temporary) => renameSync(temporary, path)))
  } finally {
    rmSync(lock, { force: true })
  }
}

function readLines(path: string): readonly string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.map((line) => line.trim()).filter((line) => line !== '')
  } catch (error) {
    throw new SettingsError(
      path,
      codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${codeOf(error)}`,
    )
  }
}

/** Windows has no such modes: there the folder's own rights protect it. */
function refuseOpenFile(path: string): void {
  if (process.platform === 'win32') return
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new SettingsError(path, `other users of this machine may read it: run \`chmod 600 ${path}\``)
  }
}

/** Writes a complete file beside the real one, durably, and lets `publish` move it there. */
function writeWith(path: string, secrets: readonly string[], publish: (temporary: string) => void): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  const file = openSync(temporary, 'wx', 0o600)
  try {
    try {
      writeSync(file, `${secrets.join('\n')}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    publish(temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

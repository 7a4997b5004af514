/** The secret on disk: made once for its owner only, read again after each rotation. `cli/open.ts` and `secret` call it. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { MIN_SECRET_LENGTH, SECRET_PREFIX } from 'latchkey'
import { SettingsError } from './settings-error.js'

/** 256 random bits as 64 hex digits, behind the prefix of secrets that open no seal of the old format. */
export function newSecret(): string {
  return SECRET_PREFIX + randomBytes(32).toString('hex')
}

/**
 * The secrets of a file, one a line, newest first.
 * @throws SettingsError when it cannot be read, another user may read or replace it, or a line is too short
 */
export function readSecretFile(path: string): readonly string[] {
  const secrets = readLines(path)
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

/** The rights are those of the file that is read: looked at through the same handle. */
function readLines(path: string): readonly string[] {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    refuseOpenFile(path, fstatSync(file))
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.map((line) => line.trim()).filter((line) => line !== '')
  } catch (error) {
    if (error instanceof SettingsError) throw error
    throw new SettingsError(
      path,
      codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${codeOf(error)}`,
    )
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Windows has no such modes and owners: there the folder's own rights protect it. */
function refuseOpenFile(path: string, file: Rights): void {
  if (process.platform === 'win32') return
  // The folder of the name, and that of the file which a link leads to.
  const folders = [dirname(path), dirname(realpathSync(path))].map((folder) => statSync(folder))
  const problem = fileProblem(path, file, folders, process.getuid?.() ?? 0)
  if (problem !== null) throw new SettingsError(path, problem)
}

const ROOT = 0
const STICKY = 0o1000

/** What matters about a file or a folder. */
export interface Rights {
  readonly uid: number
  readonly mode: number
}

/**
 * Why another user of the machine may read or replace a secret file; null: only its own user, or root, may. Who owns a
 * file or its folder can always change it, whatever its mode.
 *
 * @param uid the user who runs this process
 */
export function fileProblem(
  path: string,
  file: Rights,
  folders: readonly Rights[],
  uid: number,
): string | null {
  const isForeign = (owner: number) => owner !== uid && owner !== ROOT
  if ((file.mode & 0o077) !== 0) {
    return `other users of this machine may read it: run \`chmod 600 ${path}\``
  }
  if (isForeign(file.uid)) {
    return `user ${file.uid} owns it and may replace it: run \`chown ${uid} ${path}\`, or run this as its owner`
  }
  const foreign = folders.find((folder) => isForeign(folder.uid))
  if (foreign !== undefined) {
    return `user ${foreign.uid} owns its folder and may replace it: move it to a folder of your own`
  }
  // In a sticky folder others may add files, and remove only their own.
  if (folders.some(({ mode }) => (mode & 0o002) !== 0 && (mode & STICKY) === 0)) {
    return 'other users of this machine may write in its folder and replace it: run `chmod o-w` on the folder'
  }
  return null
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

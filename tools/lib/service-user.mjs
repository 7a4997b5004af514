/** The user that runs services which refuse to run as root (PostgreSQL, PgBouncer), for tests in a root container. */
import { chownSync } from 'node:fs'

/** `nobody` of Debian: it owns no files, and is there on every system. */
const NOBODY = 65534

/** Options for `spawn` and its like: another user where this process is root; empty where it is not. */
export const serviceUser = Object.freeze(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {})

/** Gives a file or folder to that user. @param {string} path */
export function giveToServiceUser(path) {
  if (serviceUser.uid !== undefined) chownSync(path, serviceUser.uid, serviceUser.gid)
}

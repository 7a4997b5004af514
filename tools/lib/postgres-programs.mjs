/** PostgreSQL's own programs, where they are installed, run as the user that they accept. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { serviceUser } from './service-user.mjs'

const PROGRAMS = ['initdb', 'pg_ctl', 'postgres', 'pg_basebackup']
const DEBIAN = '/usr/lib/postgresql'

/** The folder with the newest of them: on the path, or where Debian keeps them. @returns {string | null} */
export function findPostgresPrograms() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
  ]
  return folders.find((folder) => PROGRAMS.every((name) => existsSync(join(folder, name)))) ?? null
}

/**
 * Runs one of them to its end.
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {string} what it wrote to stdout
 * @throws Error with what it wrote to stderr, or where PostgreSQL is not installed
 */
export function runPostgresProgram(program, args) {
  const folder = findPostgresPrograms()
  if (folder === null) throw new Error('PostgreSQL is not installed')
  return execFileSync(join(folder, program), args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    cwd: '/',
    ...serviceUser,
  })
}

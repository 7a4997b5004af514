/** Starts PgBouncer in front of a PostgreSQL server that tests have started, with its default settings. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll } from 'vitest'
import { freePort } from '../../../tools/lib/free-port.js'
import { serviceUser } from '../../../tools/lib/service-user.mjs'
import { answers, type PostgresServer } from './postgres-server.js'

/** Whether it is installed; where it is not, its tests are skipped, and in CI they fail. */
export function canStartPgbouncer(): boolean {
  if (findBinary() !== null) return true
  if (process.env.CI === 'true') throw new Error('PgBouncer is not installed: apt-get install pgbouncer')
  console.log('Skipped: tests of PgBouncer (it is not installed)')
  return false
}

const removals: Array<() => void> = []
const removeAll = () => {
  for (const remove of removals.splice(0)) remove()
}
afterAll(removeAll)
// For a file that fails before its first test.
process.once('exit', removeAll)

/** The address of a PgBouncer that leads to the server; it ends with the test file. */
export async function startPgbouncer(
  server: PostgresServer,
  mode: 'session' | 'transaction' | 'statement',
  settings: Readonly<Record<string, string | number>> = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pgbouncer-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const users = join(folder, 'users.txt')
  const file = join(folder, 'pgbouncer.ini')
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: users,
    pool_mode: mode,
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(users, '"postgres" ""\n')
  writeFileSync(
    file,
    ['[databases]', `* = host=127.0.0.1 port=${server.port}`, '[pgbouncer]', ...lines, ''].join('\n'),
  )
  const program = spawn(findBinary() ?? 'pgbouncer', ['-q', file], {
    stdio: 'ignore',
    cwd: '/',
    ...serviceUser,
  })
  removals.push(() => {
    program.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const address = new URL(server.url)
  address.port = String(port)
  while (!(await answers(address.href))) {
    if (program.exitCode !== null) throw new Error('PgBouncer did not start')
  }
  return address.href
}

function findBinary(): string | null {
  // Debian keeps it where only administrators look.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  const path = folders.map((folder) => join(folder, 'pgbouncer')).find((file) => existsSync(file))
  return path ?? null
}

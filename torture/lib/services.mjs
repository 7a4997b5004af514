/** PostgreSQL and Redis for a run on a machine where neither is running: started from installed programs, ended with the run. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPostgresPrograms, runPostgresProgram } from '../../tools/lib/postgres-programs.mjs'
import { giveToServiceUser } from '../../tools/lib/service-user.mjs'

/** @returns {Promise<string | null>} its URL as a superuser; null where PostgreSQL is not installed */
export async function startPostgres() {
  if (findPostgresPrograms() === null) return null
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-torture-postgres-'))
  giveToServiceUser(folder)
  const data = join(folder, 'data')
  const port = await freePort()
  runPostgresProgram('initdb', ['-D', data, '-U', 'postgres', '--no-sync', '-E', 'UTF8', '-A', 'trust'])
  const options = `-c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off`
  runPostgresProgram('pg_ctl', ['-D', data, '-l', join(folder, 'log'), '-o', options, '-w', 'start'])
  process.once('exit', () => {
    runPostgresProgram('pg_ctl', ['-D', data, '-m', 'immediate', 'stop'])
    rmSync(folder, { recursive: true, force: true })
  })
  return `postgres://postgres@127.0.0.1:${port}/postgres`
}

/** @returns {Promise<{ host: string, port: number } | null>} null where Redis is not installed */
export async function startRedis() {
  if (spawnSync('redis-server', ['--version']).status !== 0) return null
  const address = { host: '127.0.0.1', port: await freePort() }
  const words = ['--port', address.port, '--bind', address.host, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', words.map(String), { stdio: ['ignore', 'pipe', 'ignore'] })
  process.once('exit', () => server.kill('SIGKILL'))
  await new Promise((resolve, reject) => {
    let log = ''
    server.stdout.on('data', (text) => {
      log += text
      if (log.includes('Ready to accept connections')) resolve()
    })
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${log}`)))
  })
  return address
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

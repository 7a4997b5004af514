/** Which machine the numbers are of. */
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import Database from 'better-sqlite3'
import { CORES } from './cores.mjs'
import { PEERS } from './peers.mjs'

export function describeMachine() {
  const database = new Database(':memory:')
  const sqliteVersion = database.prepare('SELECT sqlite_version()').pluck().get()
  database.close()
  return {
    at: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.versions.node,
    sqlite: sqliteVersion,
    peers: PEERS,
    serversOn: CORES === null ? 'on any core' : `on core ${CORES[0]}, their load on core ${CORES[1]}`,
    /** Of the minute before: above about 0.5 somebody else was working on the machine. */
    loadBefore: Number(loadavg()[0].toFixed(2)),
  }
}

/** Which core does what: a server on one and its load on another, so that neither takes the other's time. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { platform } from 'node:os'

/** The first two cores that this process may use; null where processes cannot be held to a core. */
export const CORES = twoCores()

/**
 * Holds a process, its threads and what it starts from now on to a core; does nothing where that cannot be done.
 * @param {number} pid
 * @param {'server' | 'load' | 'both'} place `both`: the server's core and that of the load
 */
export function holdToCore(pid, place) {
  if (CORES === null) return
  const [server, load] = CORES
  const list = { server: String(server), load: String(load), both: `${server},${load}` }[place]
  execFileSync('taskset', ['-acp', list, String(pid)], { stdio: 'ignore' })
}

/**
 * Holds processes of a database server on this machine to the load's core, and nothing else: not where they are
 * somebody else's, nor where the numbers are of processes on another machine.
 * @param {readonly number[]} pids
 * @param {string} name what such a process is called: `postgres`
 */
export function holdBackends(pids, name) {
  for (const pid of pids) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name) holdToCore(pid, 'load')
    } catch {
      // It stays where the system puts it.
    }
  }
}

function twoCores() {
  if (platform() !== 'linux' || spawnSync('taskset', ['--version']).status !== 0) return null
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  const [server, load] = allowed.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
  return load === undefined ? null : [server, load]
}

/** Runs one row in a process of its own: every row has a fresh heap and compiler. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { Stop } from './stop.mjs'

/**
 * @param {string} root the checkout whose `bench/` runs, and whose packages it measures
 * @param {string} row
 * @param {import('./row.mjs').Options} options
 * @returns {Promise<import('./row.mjs').Measured>}
 * @throws Stop when the process ends without a result; what it printed is on the screen
 */
export function measure(root, row, options) {
  return new Promise((resolve, reject) => {
    const child = fork(join(root, 'bench/run-row.mjs'), [row, JSON.stringify(options)])
    let measured
    child.on('message', (message) => {
      measured = message
    })
    child.on('exit', (code) => {
      if (measured === undefined || code !== 0) reject(new Stop(`${row}: could not be measured`))
      else resolve(measured)
    })
  })
}

/** The invariants that hold for every attack, whatever it sends. */
import { REACHED } from './routes.mjs'

/**
 * @typedef {object} Attack
 * @property {string} name
 * @property {import('./wire.mjs').Request} [request] either this,
 * @property {Uint8Array | string} [bytes] or what is sent as it is
 * @property {readonly string[]} [reached] users for whom a handler is reached, in order; default: none
 * @property {boolean} [mayReach] either answer is right: only the other invariants are checked
 * @property {readonly number[]} [statuses] allowed beside 3xx, 4xx, and the 200 of a handler that is reached
 *
 * @param {Attack} attack
 * @param {import('./wire.mjs').Exchange} exchange
 * @param {{ secrets: readonly string[], sent: string, echoesPaths: boolean }} context
 * @returns {string[]} what is wrong, in words
 */
export function faultsOf(attack, { answers, text }, { secrets, sent, echoesPaths }) {
  const faults = []
  const reached = [...text.matchAll(REACHED)].map(([, username]) => username)
  const { reached: expected = [], statuses = [], mayReach = false } = attack
  if (!mayReach && reached.join() !== expected.join()) {
    faults.push(`reached a handler for [${reached}], where [${expected}] is right`)
  }
  for (const { status, body } of answers) {
    const isReached = status === 200 && body.includes('REACHED:')
    const isRefusal = (status >= 300 && status < 500) || status === 100
    if (!isReached && !isRefusal && !statuses.includes(status)) faults.push(`answered with ${status}`)
  }
  // The page of a framework for an unknown path shows the path that its own caller asked for.
  const [target = ''] = sent.split('\r\n', 1)
  const shown = secrets.filter((secret) => text.includes(secret))
  if (shown.some((secret) => !(echoesPaths && target.includes(secret))))
    faults.push('the answer shows a secret')
  return faults
}
